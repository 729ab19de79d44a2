import { X509Certificate } from "node:crypto";
import { parseSpiffeId } from "@signet/spiffe";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { certificatePem, parseCertificate, serialNumberHex } from "./certificate.ts";
import { createCsr } from "./create-csr.ts";
import { parseCsr, verifyCsr } from "./csr.ts";
import { encodeDer } from "./der/der-writer.ts";
import { parseIpAddress } from "./ip-address.ts";
import type { KeyType } from "./key-pair.ts";
import { signatureProblem } from "./path-problems.ts";
import {
  buildOddCertificate,
  buildOddCsr,
  type PeculiarReading,
  readCsrWithPeculiar,
  readWithPeculiar,
  verifyCsrWithPeculiar,
  verifyWithPeculiar,
} from "./peculiar.ts";
import { signLeafAsync } from "./sign-leaf.ts";
import { type SubjectAltName, subjectAltNames } from "./subject-alt-name.ts";
import { testKey, testLeaf, testRoot } from "./testing.ts";

const keyTypes: readonly KeyType[] = ["P-256", "P-384", "P-521", "RSA-2048", "Ed25519"];

const label = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const name: fc.Arbitrary<SubjectAltName> = fc.oneof(
  fc.tuple(label, label).map(([a, b]) => ({ kind: "uri" as const, value: `spiffe://${a}/ns/${b}` })),
  label.map((value) => ({ kind: "dns" as const, value: `${value}.example` })),
  fc.oneof(fc.ipV4(), fc.ipV6()).map((value) => ({ kind: "ip" as const, value })),
);
const second = fc
  .integer({ min: Date.UTC(1990, 0) / 1000, max: Date.UTC(2080, 0) / 1000 })
  .map((seconds) => new Date(seconds * 1000));
const serial = fc.uint8Array({ minLength: 1, maxLength: 16 }).filter((octets) => octets.some((octet) => octet !== 0));
const content = fc.record({
  names: fc.array(name, { minLength: 1, maxLength: 4 }),
  times: fc.tuple(second, second).map(([a, b]) => (a <= b ? ([a, b] as const) : ([b, a] as const))),
  serialNumber: serial,
  commonName: fc.option(fc.string({ minLength: 1, maxLength: 64, unit: "grapheme-ascii" }), { nil: undefined }),
});

/** The oracle keeps IPv6 addresses as they came; octets decide. */
const comparable = (names: readonly { kind: string; value?: string }[]): unknown[] =>
  names.map(({ kind, value = "" }) => [kind, kind === "ip" ? parseIpAddress(value)?.toHex() : value]);

describe.each(keyTypes)("certificates signed by a %s key", async (type) => {
  const root = await testRoot({ type });
  const key = await testKey("P-256");

  it("property: @peculiar/x509 and node:crypto read in a leaf what the template said", async () => {
    await fc.assert(
      fc.asyncProperty(content, async ({ names, times: [notBefore, notAfter], serialNumber, commonName }) => {
        const template = {
          spki: key.spki,
          subjectAltNames: names,
          notBefore,
          notAfter,
          ...(commonName && { commonName }),
        };
        const der = await signLeafAsync({ template, issuer: root, serialNumber });
        const ours = parseCertificate(der);
        const theirs = readWithPeculiar(der);
        expect(serialNumberHex(ours)).toBe(
          BigInt(`0x${serialNumber.toHex()}`)
            .toString(16)
            .replace(/^(?=(..)*.$)/, "0"),
        );
        expect(BigInt(`0x${theirs.serialNumber}`)).toBe(ours.serialNumber);
        expect(theirs).toMatchObject({ issuer: root.certificate.subject, notBefore, notAfter, spki: key.spki });
        expect(comparable(theirs.subjectAltNames)).toEqual(comparable(names));
        expect(theirs.extensions).toEqual(leafExtensions);
        expect(ours).toMatchObject({ subject: theirs.subject, notBefore, notAfter, spki: key.spki });
        expect(comparable(ours.subjectAltNames)).toEqual(comparable(names));
        expectNodeAgrees(der, { subjectAltNames: names, notBefore, notAfter });
      }),
      { numRuns: 40 },
    );
  });

  it("are signed, in the eyes of all three", async () => {
    const { chain } = await testLeaf(root);
    const [leaf, caNode] = [new X509Certificate(chain[0].der), new X509Certificate(root.certificate.der)];
    expect(await verifyWithPeculiar(chain[0].der, root.key.spki)).toBe(true);
    expect(leaf.checkIssued(caNode)).toBe(true);
    expect(leaf.verify(root.key.publicKey)).toBe(true);
    expect(caNode.ca).toBe(true);
    expect(leaf.checkPrivateKey(key.privateKey)).toBe(false);
    expect(leaf.toString()).toBe(certificatePem(chain[0]));
  });
});

const leafExtensions = [
  { oid: "2.5.29.15", critical: true },
  { oid: "2.5.29.37", critical: false },
  { oid: "2.5.29.19", critical: true },
  { oid: "2.5.29.35", critical: false },
  { oid: "2.5.29.17", critical: true },
];

describe.each(keyTypes)("certificates and CSRs that @peculiar/x509 makes with a %s key", async (type) => {
  const key = await testKey(type, "oracle");
  const sanOf = (names: readonly SubjectAltName[]) => ({
    oid: "2.5.29.17",
    critical: true,
    value: encodeDer(subjectAltNames(names)),
  });

  it("property: a certificate is read as it was made", async () => {
    await fc.assert(
      fc.asyncProperty(content, async ({ names, times: [notBefore, notAfter], serialNumber }) => {
        // The library writes serial numbers as they are given; DER wants them positive and short.
        const digits = `00${serialNumber.toHex()}`.replace(/^(00)+(?=[0-7])|^(00)+(?=00[89a-f])/, "");
        const der = await buildOddCertificate({
          subject: "O=cluster.local",
          key,
          serialNumber: digits,
          notBefore,
          notAfter,
          extensions: [sanOf(names), { oid: "1.2.3.4", critical: true, value: Uint8Array.of(5, 0) }],
        });
        const ours = parseCertificate(der);
        const theirs = readWithPeculiar(der);
        expect(ours).toMatchObject({
          serialNumber: BigInt(`0x${serialNumber.toHex()}`),
          subject: theirs.subject,
          issuer: theirs.issuer,
          notBefore,
          notAfter,
          spki: key.spki,
          unknownCriticalExtensions: ["1.2.3.4"],
        });
        expect(comparable(ours.subjectAltNames)).toEqual(comparable(names));
        expect(signatureProblem(ours, ours)).toBeUndefined();
      }),
      { numRuns: 20 },
    );
  });

  it("property: a CSR is read as it was made, and verifies", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 4 }), fc.boolean(), async (names, withName) => {
        const pem = await buildOddCsr({
          subject: withName ? "CN=frontend,O=demo" : "O=demo",
          key,
          extensions: [sanOf(names)],
        });
        const ours = parseCsr(pem);
        expect(ours.hasCommonName).toBe(withName);
        expect(ours.spki).toEqual(key.spki);
        expect(comparable(ours.requestedSubjectAltNames)).toEqual(comparable(names));
        expect(verifyCsr(ours)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("a CSR of ours is read by it as it was made, and verifies", async () => {
    const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
    const pem = createCsr({ key, spiffeId });
    const theirs: PeculiarReading = readCsrWithPeculiar(pem);
    expect(theirs).toMatchObject({
      spki: key.spki,
      subjectAltNames: [{ kind: "uri", value: spiffeId }],
      extensions: [{ oid: "2.5.29.17", critical: true }],
    });
    expect(await verifyCsrWithPeculiar(pem)).toBe(true);
  });
});

/** node:crypto shows OpenSSL's view of the certificate. */
function expectNodeAgrees(
  der: Uint8Array,
  expected: { subjectAltNames: readonly SubjectAltName[]; notBefore: Date; notAfter: Date },
): void {
  const certificate = new X509Certificate(der);
  expect(certificate.raw.toHex()).toBe(Buffer.from(der).toHex());
  expect(certificate.serialNumber.toLowerCase()).toBe(serialNumberHex(parseCertificate(der)));
  expect(certificate.validFromDate).toEqual(expected.notBefore);
  expect(certificate.validToDate).toEqual(expected.notAfter);
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  expect(certificate.subjectAltName?.split(", ")).toHaveLength(expected.subjectAltNames.length);
}
