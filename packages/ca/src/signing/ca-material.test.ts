import { certificatePem, encodePem, type KeyType, privateKeyPem, splitPem } from "@signet/x509";
import { type TestCa, testIntermediate, testKey, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { filesOf, now } from "../testing/test-ca-files.ts";
import { type CaFiles, openCaMaterial } from "./ca-material.ts";

const refusal = (message: RegExp) =>
  expect.objectContaining({ code: "ca-material-invalid", message: expect.stringMatching(message) });

/** The layout of a TLS Secret: the chain is `tls.crt`, which may hold intermediates, and then `ca.crt`. */
function tlsSecretOf(ca: TestCa, root: TestCa): CaFiles {
  const certificate = ca.chain.map(certificatePem).join("");
  return {
    certificatePem: certificate === "" ? ca.pem : certificate,
    privateKeyPem: privateKeyPem(ca.key, "pkcs8"),
    chainPem: `${certificate === "" ? ca.pem : certificate}\n${root.pem}`,
    rootPem: root.pem,
  };
}

async function below(root: TestCa, depth: number, types: readonly KeyType[] = []): Promise<TestCa> {
  let ca = root;
  for (let level = 1; level <= depth; level++) {
    const type = types[level - 1];
    ca = await testIntermediate(ca, { organization: `level ${level}`, ...(type !== undefined && { type }) });
  }
  return ca;
}

describe("openCaMaterial: kinds of keys and shapes of chains", () => {
  const kinds: readonly (readonly [root: KeyType, ...below: KeyType[]])[] = [
    ["P-256"],
    ["P-384"],
    ["P-521"],
    ["RSA-2048"],
    ["RSA-3072"],
    ["Ed25519"],
    ["P-256", "P-256"],
    ["P-384", "P-384"],
    ["RSA-2048", "P-256"],
    ["P-256", "RSA-2048"],
    ["RSA-2048", "RSA-2048", "RSA-2048"],
    ["Ed25519", "Ed25519"],
    ["P-521", "Ed25519", "P-256", "RSA-2048"],
    ["P-256", "P-256", "P-256", "P-256", "P-256", "P-256", "P-256"],
  ];

  it.each(kinds.map((types) => ({ name: types.join(" > "), types })))("opens $name", async ({ types }) => {
    const [type, ...rest] = types;
    const root = await testRoot({ type });
    const ca = await below(root, rest.length, rest);
    for (const files of [filesOf(ca, [root]), tlsSecretOf(ca, root)]) {
      const material = openCaMaterial(files, now);
      expect(certificatePem(material.certificate)).toBe(ca.pem);
      expect(material.key.info).toEqual(ca.key.info);
      expect(material.chain.map(certificatePem)).toEqual(pems(files.chainPem));
      expect(material.nameConstrained).toEqual([]);
      expect(material.revocation).toBeUndefined();
    }
  });

  it("refuses a chain that is longer than peers follow", async () => {
    const root = await testRoot();
    const ca = await below(root, 8);
    expect(() => openCaMaterial(filesOf(ca, [root]), now)).toThrow(refusal(/chain-too-long/));
  });

  it("takes the first certificate of ca-cert.pem, whatever follows", async () => {
    const root = await testRoot();
    const [ca, other] = [await below(root, 1), await below(root, 1)];
    const files = filesOf(ca, [root]);
    const material = openCaMaterial({ ...files, certificatePem: ca.pem + other.pem }, now);
    expect(certificatePem(material.certificate)).toBe(ca.pem);
    expect(() => openCaMaterial({ ...files, certificatePem: other.pem + ca.pem }, now)).toThrow(
      refusal(/^ca-key\.pem is not the key/),
    );
  });

  it("needs no root in the chain, and no chain where a root signs", async () => {
    const root = await testRoot();
    expect(openCaMaterial(filesOf(root, [root], { chainPem: "" }), now).chain).toEqual([]);
    expect(openCaMaterial(filesOf(root, [root], { chainPem: root.pem }), now).chain).toHaveLength(1);
  });

  it("opens a renewed root over a bundle that has the one before it, as istiod leaves its Secret", async () => {
    const old = await testRoot();
    const renewed = await testRoot({ key: old.key, notAfter: new Date("2046-01-01T00:00:00Z") });
    expect(openCaMaterial(filesOf(renewed, [old]), now).notAfterLimit).toEqual(old.certificate.notAfter);
  });

  it("refuses a signing certificate that nobody signed, though the chain has a good one of its name and key", async () => {
    const root = await testRoot();
    const good = await below(root, 1);
    const forged = await testIntermediate(
      { ...root, key: await testKey() },
      { key: good.key, organization: "level 1" },
    );
    expect(() => openCaMaterial(filesOf(good, [root], { certificatePem: forged.pem }), now)).toThrow(
      refusal(/^ca-cert\.pem does not lead to root-cert\.pem over cert-chain\.pem: signature-invalid/),
    );
  });
});

describe("openCaMaterial: how the files are written", () => {
  const text = (files: CaFiles, change: (pem: string) => string): CaFiles => ({
    certificatePem: change(files.certificatePem),
    privateKeyPem: change(files.privateKeyPem),
    chainPem: change(files.chainPem),
    rootPem: change(files.rootPem),
  });

  it.each<[string, (pem: string) => string]>([
    ["Windows line ends", (pem) => pem.replaceAll("\n", "\r\n")],
    ["comments before and after", (pem) => `subject=O = example\nissuer=O = example\n${pem}# the end\n`],
    ["no line end at the end", (pem) => pem.trimEnd()],
    ["spaces and blank lines", (pem) => `\n\n${pem}\n   \n\t\n`],
    [
      "lines of one length",
      (pem) => pem.replace(/-----\n([^-]*)-----/g, (_, body) => `-----\n${body.replaceAll("\n", "")}\n-----`),
    ],
  ])("reads %s", async (_, change) => {
    const root = await testRoot();
    const files = filesOf(await below(root, 2), [root]);
    const material = openCaMaterial(text(files, change), now);
    expect(material.chain.map(certificatePem).join("")).toBe(files.chainPem);
  });

  it.each<[string, (files: CaFiles) => Partial<CaFiles>, RegExp]>([
    ["a byte behind a certificate", ({ certificatePem: pem }) => ({ certificatePem: longer(pem) }), /^ca-cert\.pem/],
    ["a byte behind one of the chain", ({ chainPem }) => ({ chainPem: longer(chainPem) }), /^cert-chain\.pem/],
    ["a byte behind a root", ({ rootPem }) => ({ rootPem: longer(rootPem) }), /^root-cert\.pem/],
    ["a certificate cut short", ({ certificatePem: pem }) => ({ certificatePem: pem.slice(0, -40) }), /^ca-cert\.pem/],
    ["a chain cut short", ({ chainPem }) => ({ chainPem: chainPem.slice(0, -40) }), /^cert-chain\.pem/],
    ["a chain without a certificate", ({ privateKeyPem: pem }) => ({ chainPem: pem }), /^cert-chain\.pem/],
    ["parameters before the key", (files) => ({ privateKeyPem: ecParameters + files.privateKeyPem }), /^ca-key\.pem/],
    [
      "an encrypted key",
      () => ({ privateKeyPem: encodePem("ENCRYPTED PRIVATE KEY", Uint8Array.of(0x30, 0)) }),
      /^ca-key\.pem/,
    ],
    [
      "a key where roots belong",
      (files) => ({ rootPem: ` ${files.privateKeyPem}${files.rootPem}` }),
      /holds a private key$/,
    ],
  ])("refuses %s", async (_, change, message) => {
    const root = await testRoot();
    const files = filesOf(await below(root, 1), [root]);
    const changed = { ...files, ...change(files) };
    expect(() => openCaMaterial(changed, now)).toThrow(refusal(message));
  });
});

describe("openCaMaterial: name constraints", () => {
  it("opens a CA whatever it may sign for, and keeps the certificates that say so", async () => {
    const excluded = [
      { kind: "uri", value: "" },
      { kind: "dns", value: "" },
      { kind: "ip", hex: "00".repeat(8) },
    ] as const;
    const root = await testRoot({ nameConstraints: { excluded } });
    const ca = await testIntermediate(root);
    const { nameConstrained } = openCaMaterial(filesOf(ca, [root]), now);
    expect(nameConstrained.map(certificatePem)).toEqual([root.pem]);
  });
});

const ecParameters = encodePem("EC PARAMETERS", Uint8Array.fromHex("06082a8648ce3d030107"));

function pems(text: string): readonly string[] {
  if (text === "") return [];
  return splitPem(text).map(({ label, der }) => encodePem(label, der));
}

/** The last block of a text with a byte more inside. */
function longer(pem: string): string {
  const blocks = splitPem(pem);
  return blocks
    .map(({ label, der }, index) => encodePem(label, index === blocks.length - 1 ? Uint8Array.of(...der, 0) : der))
    .join("");
}
