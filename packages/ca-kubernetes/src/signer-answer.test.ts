import { FakeClock } from "@signet/runtime/testing";
import type { CertificateChain, SvidTemplate } from "@signet/x509";
import { certificatePem } from "@signet/x509";
import { testIntermediate, testKey, testLeaf, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { readSignerAnswer } from "./signer-answer.ts";
import { createSignerRoots } from "./signer-roots.ts";

const root = await testRoot({ notAfter: new Date("2030-01-01T00:00:00Z") });
const intermediate = await testIntermediate(root, { type: "P-384", notAfter: new Date("2028-01-01T00:00:00Z") });
const key = await testKey();
const { chain } = await testLeaf(intermediate, { key });
const template = { spki: key.spki, subjectAltNames: [], notBefore: new Date(0), notAfter: new Date(0) } as SvidTemplate;

function rootsOf(rootPem?: string) {
  const events = { rootLearned: () => {}, probeFailed: () => {}, leftBehind: () => {} };
  const clock = new FakeClock(new Date("2026-11-22T12:00:00Z"));
  const options = { signerName: "example.com/mesh", ...(rootPem === undefined ? {} : { rootPem }) };
  return createSignerRoots(options, { clock, events });
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function answerOf(certificates: CertificateChain): string {
  return base64(certificates.map(certificatePem).join(""));
}

describe("readSignerAnswer", () => {
  it("returns the chain without its root, and what it says of the signer", () => {
    const answer = readSignerAnswer(answerOf([...chain, root.certificate] as CertificateChain), template, rootsOf());
    expect(answer.chain.map(certificatePem)).toEqual(chain.map(certificatePem));
    expect(answer.learned).toBe(true);
    expect(answer.signer).toEqual({
      above: [expect.objectContaining({ der: intermediate.certificate.der })],
      notAfterLimit: new Date("2028-01-01T00:00:00Z"),
      signingKeyInfo: { kind: "ec", curve: "P-384" },
    });
  });

  it("takes an answer without the root when the root is known", () => {
    const answer = readSignerAnswer(answerOf(chain as CertificateChain), template, rootsOf(root.pem));
    expect(answer.chain).toHaveLength(2);
    expect(answer.learned).toBe(false);
  });

  it.each([
    ["nothing", ""],
    ["no base64", "%"],
    ["no PEM", base64("none")],
    ["a PEM of something else", base64("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")],
    ["far too much", "A".repeat(600_000)],
    ["nine certificates", answerOf(Array.from({ length: 9 }, () => chain[0]) as unknown as CertificateChain)],
  ])("refuses %s", (_, text) => {
    expect(() => readSignerAnswer(text, template, rootsOf(root.pem))).toThrow(
      expect.objectContaining({ code: "issued-svid-mismatch" }),
    );
  });

  it("refuses a certificate for another key, and learns nothing from it", async () => {
    const other = { ...template, spki: (await testKey()).spki };
    const roots = rootsOf();
    const text = answerOf([...chain, root.certificate] as CertificateChain);
    expect(() => readSignerAnswer(text, other, roots)).toThrow(
      expect.objectContaining({ code: "issued-svid-mismatch", message: expect.stringContaining("another public key") }),
    );
    expect(roots.trustBundle.current()).toBeUndefined();
  });
});
