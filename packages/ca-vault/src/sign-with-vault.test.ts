import { buildSvidTemplate, type CaError } from "@signet/ca";
import { parseSpiffeId } from "@signet/spiffe";
import { type Csr, certificatePem, createCsr, generateKeyPair, parseCsr, type SubjectAltName } from "@signet/x509";
import { testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSelfSigned } from "./mount-view.ts";
import { buildSignBody, createAnswerReader } from "./sign-with-vault.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const csr = await newCsr();
const lifetime = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2026-01-01T01:00:00Z") };
const template = buildSvidTemplate({ csr, spiffeId, lifetime });

async function newCsr(): Promise<Csr> {
  return parseCsr(createCsr({ key: await generateKeyPair("P-256"), spiffeId }));
}

describe("buildSignBody", () => {
  it("asks for the template's name and end, over the CSR's key, and for nothing else", () => {
    const body = buildSignBody({ template, csr }, new Date("2026-01-01T00:59:59.999Z"));
    expect(body).toEqual({
      csr: expect.stringMatching(/^-----BEGIN CERTIFICATE REQUEST-----\n/),
      uri_sans: [spiffeId],
      not_after: "2026-01-01T00:59:59Z",
      exclude_cn_from_sans: true,
      format: "pem",
    });
  });

  it("asks for no common name, also where the template has one", () => {
    const body = buildSignBody({ template: { ...template, commonName: spiffeId }, csr }, lifetime.notAfter);
    expect(Object.keys(body)).not.toContain("common_name");
  });

  it("asks for the names of a serving certificate", () => {
    const subjectAltNames = [
      { kind: "dns", value: "istiod.istio-system.svc" },
      { kind: "dns", value: "*.example" },
      { kind: "ip", value: "::1" },
    ] as const;
    const body = buildSignBody({ template: { ...template, subjectAltNames }, csr }, lifetime.notAfter);
    expect(body).toMatchObject({ alt_names: "istiod.istio-system.svc,*.example", ip_sans: ["::1"] });
    expect(body.uri_sans).toBeUndefined();
  });

  it("needs a CSR, over the key of the template", async () => {
    expect(() => buildSignBody({ template }, lifetime.notAfter)).toThrow("nothing without a CSR");
    const other = await newCsr();
    expect(() => buildSignBody({ template, csr: other }, lifetime.notAfter)).toThrow("another key");
  });

  it.each<SubjectAltName>([
    { kind: "uri", value: "spiffe://cluster.local/ns/a,spiffe://cluster.local/ns/b" },
    { kind: "uri", value: " spiffe://cluster.local/ns/a" },
    { kind: "uri", value: "https://example.com/" },
    { kind: "uri", value: "" },
    { kind: "dns", value: "a.example,b.example" },
    { kind: "dns", value: "someone@example" },
    { kind: "dns", value: " a.example" },
    { kind: "dns", value: "" },
    { kind: "ip", value: "127.0.0.1,10.0.0.1" },
    { kind: "ip", value: "127.0.0.1/8" },
    { kind: "other", tag: 1, der: Uint8Array.of(0x81, 0) },
  ])("does not ask for %j, which Vault might not take for one name", (name) => {
    const odd = { ...template, subjectAltNames: [name] };
    expect(codeOf(() => buildSignBody({ template: odd, csr }, lifetime.notAfter))).toBe("signing-failed");
  });

  it("never hands out a name that holds a comma or a space, whatever the template says", () => {
    const kinds = fc.constantFrom("uri" as const, "dns" as const, "ip" as const);
    const value = fc.oneof(
      fc.string(),
      fc.constant(spiffeId),
      fc.string().map((text) => spiffeId + text),
    );
    fc.assert(
      fc.property(fc.record({ kind: kinds, value }), (name) => {
        let body: Readonly<Record<string, unknown>>;
        try {
          body = buildSignBody({ template: { ...template, subjectAltNames: [name] }, csr }, lifetime.notAfter);
        } catch {
          return;
        }
        const sent = [body.uri_sans ?? [], body.ip_sans ?? [], body.alt_names ?? []].flat();
        expect(sent).toEqual([name.value]);
        expect(name.value).not.toMatch(/[,\s]/);
      }),
    );
  });
});

function codeOf(work: () => unknown): string {
  try {
    work();
    return "none";
  } catch (error) {
    return (error as CaError).code;
  }
}

describe("createAnswerReader", () => {
  it("returns the leaf and what is above it, without roots", async () => {
    const root = await testRoot();
    const issuer = await testIntermediate(root);
    const { chain } = await testLeaf(issuer);
    const data = {
      certificate: certificatePem(chain[0]),
      issuing_ca: issuer.pem,
      ca_chain: [issuer.pem.trim(), root.pem.trim()],
    };
    const reader = createAnswerReader(isSelfSigned);
    const read = reader.read({ data });
    expect(read.map(certificatePem)).toEqual(chain.map(certificatePem));
    // Parsed once for as long as it is the same.
    expect(reader.read({ data })[1]).toBe(read[1]);
    expect(reader.read({ data: { ...data, ca_chain: null } }).map(certificatePem)).toEqual(chain.map(certificatePem));
  });

  it.each([
    [undefined],
    [{}],
    [{ data: null }],
    [{ data: {} }],
    [{ data: { certificate: 7, ca_chain: [] } }],
    [{ data: { certificate: "", issuing_ca: "" } }],
    [{ data: { certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" } }],
    [{ data: { certificate: "garbage", ca_chain: ["garbage"] } }],
  ])("refuses %j", (body) => {
    expect(() => createAnswerReader(isSelfSigned).read(body)).toThrow(
      expect.objectContaining({ code: "response-malformed" }),
    );
  });

  it("refuses two certificates in the place of one", async () => {
    const { pem } = await testRoot();
    const body = { data: { certificate: pem + pem, issuing_ca: pem } };
    expect(() => createAnswerReader(isSelfSigned).read(body)).toThrow("exactly one certificate");
  });
});
