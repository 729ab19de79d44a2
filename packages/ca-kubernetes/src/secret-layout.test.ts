import { testCaState } from "@signet/ca/testing";
import type { Secret } from "@signet/kubernetes";
import { describe, expect, it } from "vitest";
import { pluggedInFilesOf, secretOfState, stateOfSecret } from "./secret-layout.ts";

const place = { namespace: "istio-system", name: "istio-ca-secret" };
const cacerts = { namespace: "istio-system", name: "cacerts" };

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function secretWith(files: Readonly<Record<string, string>>): Secret {
  const data = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, base64(text)]));
  return { metadata: place, data };
}

describe("secretOfState", () => {
  it("is what istiod writes: type, three files and two empty keys", async () => {
    const state = await testCaState();
    expect(secretOfState(state, place)).toEqual({
      metadata: place,
      type: "istio.io/ca-root",
      data: {
        "ca-cert.pem": base64(state.certificatePem),
        "ca-key.pem": base64(state.privateKeyPem),
        "cert-chain.pem": "",
        "key.pem": "",
        "root-cert.pem": base64(state.certificatePem),
      },
    });
  });

  it("marks what it puts into cacerts as generated", async () => {
    expect(secretOfState(await testCaState(), cacerts).data).toHaveProperty("istio-generated", "");
  });
});

describe("stateOfSecret", () => {
  it("reads back what was written", async () => {
    const state = await testCaState();
    expect(stateOfSecret(secretOfState(state, place), place)).toEqual(state);
    expect(stateOfSecret(secretOfState(state, cacerts), cacerts)).toEqual(state);
  });

  it("puts a renewed certificate in front of the root that istiod leaves behind", async () => {
    const [old, renewed] = [await testCaState(), await testCaState()];
    const secret = secretOfState({ ...renewed, rootCertificatesPem: old.certificatePem }, place);
    expect(stateOfSecret(secret, place).rootCertificatesPem).toBe(renewed.certificatePem + old.certificatePem);
  });

  it("keeps roots word for word when the certificate is among them", async () => {
    const [old, current] = [await testCaState(), await testCaState()];
    const rootCertificatesPem = `# old\n${old.certificatePem}# current\n${current.certificatePem}`;
    const secret = secretOfState({ ...current, rootCertificatesPem }, place);
    expect(stateOfSecret(secret, place).rootCertificatesPem).toBe(rootCertificatesPem);
  });

  it.each([
    ["missing", {}],
    ["empty", { "root-cert.pem": "" }],
    ["no PEM", { "root-cert.pem": base64("none") }],
  ])("takes the certificate for the root when the root is %s", async (_, root) => {
    const state = await testCaState();
    const { "root-cert.pem": _root, ...data } = secretOfState(state, place).data ?? {};
    const read = stateOfSecret({ metadata: place, data: { ...data, ...root } }, place);
    expect(read.rootCertificatesPem.startsWith(state.certificatePem)).toBe(true);
  });

  it("refuses a cacerts that somebody plugged in", async () => {
    const { "istio-generated": _, ...data } = secretOfState(await testCaState(), cacerts).data ?? {};
    expect(() => stateOfSecret({ metadata: cacerts, data }, cacerts)).toThrow(
      expect.objectContaining({ code: "secret-foreign" }),
    );
  });

  it.each([
    ["not base64", "%%%"],
    ["not UTF-8", Buffer.from([0xff, 0xfe]).toString("base64")],
    ["over 1 MiB", "A".repeat(1_400_004)],
  ])("reads a key that is %s as empty", async (_, text) => {
    const secret = secretOfState(await testCaState(), place);
    const broken = { ...secret, data: { ...secret.data, "ca-key.pem": text } };
    expect(stateOfSecret(broken, place).privateKeyPem).toBe("");
  });
});

describe("pluggedInFilesOf", () => {
  const istio = { "ca-cert.pem": "C", "ca-key.pem": "K", "cert-chain.pem": "I", "root-cert.pem": "R" };
  const tls = { "tls.crt": "C", "tls.key": "K", "ca.crt": "R" };

  it("reads Istio's layout, with revocation lists when there are any", () => {
    const files = { certificatePem: "C", privateKeyPem: "K", chainPem: "I", rootPem: "R" };
    expect(pluggedInFilesOf(secretWith(istio), place)).toEqual(files);
    expect(pluggedInFilesOf(secretWith({ ...istio, "ca-crl.pem": "L" }), place)).toEqual({ ...files, crlPem: "L" });
  });

  it("reads the layout of a TLS Secret, whose chain is its certificate and its root", () => {
    const files = { certificatePem: "C", privateKeyPem: "K", chainPem: "C\nR", rootPem: "R" };
    expect(pluggedInFilesOf(secretWith(tls), place)).toEqual(files);
    expect(pluggedInFilesOf(secretWith({ ...istio, ...tls }), place)).toEqual(files);
  });

  it("finds nothing in a Secret with none of the files", () => {
    expect(pluggedInFilesOf(secretWith({ other: "x" }), place)).toBeUndefined();
    expect(pluggedInFilesOf({ metadata: place }, place)).toBeUndefined();
  });

  it.each([
    ["Istio's", istio],
    ["a TLS Secret's", tls],
  ])("refuses any one missing file of %s layout, naming it", (_, files) => {
    for (const name of Object.keys(files)) {
      const { [name]: _missing, ...rest } = files as Record<string, string>;
      expect(() => pluggedInFilesOf(secretWith(rest), place)).toThrow(
        expect.objectContaining({ code: "secret-incomplete", message: expect.stringContaining(name) }),
      );
    }
  });

  it("refuses a file that is no text, without showing it", () => {
    const secret = { metadata: place, data: { ...secretWith(istio).data, "ca-key.pem": "c2VjcmV0IQ=%" } };
    expect(() => pluggedInFilesOf(secret, place)).toThrow(
      expect.objectContaining({ code: "secret-malformed", message: expect.not.stringContaining("c2Vj") }),
    );
  });

  it("does not take a file from Object's prototype", () => {
    expect(
      pluggedInFilesOf({ metadata: place, data: Object.create({ "ca-cert.pem": "QQ==" }) }, place),
    ).toBeUndefined();
  });
});
