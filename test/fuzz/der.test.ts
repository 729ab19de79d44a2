import {
  type CertificateChain,
  certificatePem,
  describeName,
  encodePem,
  parseCertificate,
  parseCertificates,
  parsePem,
  parseRevocationLists,
  serialNumberHex,
  verifySvid,
  X509Error,
} from "@signet/x509";
import { testBundles, testIntermediate, testLeaf, testRevocationList, testRoot } from "@signet/x509/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bounded, fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";
import { mutatedDer } from "./support/mutate-der.ts";

const at = new Date("2026-11-01T12:00:00Z");
const excluded = [{ kind: "uri", value: "victim.example" }] as const;
const root = await testRoot();
const intermediate = await testIntermediate(root, { pathLength: 0 });
const limited = await testIntermediate(await testRoot({ nameConstraints: { excluded } }), {});
const leaves = await Promise.all([
  testLeaf(intermediate),
  testLeaf(intermediate, { type: "Ed25519" }),
  testLeaf(root, { type: "RSA-2048" }),
  testLeaf(root, {
    subjectAltNames: [
      { kind: "dns", value: "frontend.demo.svc" },
      { kind: "ip", value: "192.0.2.1" },
    ],
  }),
]);
const bundles = testBundles({ "cluster.local": root });
const genuine = new Set(leaves.map(({ chain: [leaf] }) => leaf.der.toHex()));
const certificates = [root, intermediate, limited].map(({ certificate }) => certificate.der);
const samples = [...leaves.map(({ chain: [leaf] }) => leaf.der), ...certificates];
const revocationLists = parsePem(testRevocationList(root) + testRevocationList(intermediate), "X509 CRL");

/** What `parse` returns; undefined for the one way in which it may fail. */
function orRefused<T>(parse: () => T): T | undefined {
  try {
    return bounded(parse);
  } catch (error) {
    if (error instanceof X509Error) return undefined;
    throw error;
  }
}

describe("certificates in DER, whatever they are", () => {
  it("are read or refused, and read the same again", { timeout: fuzzTimeoutMs }, () => {
    let parsed = 0;
    fc.assert(
      fc.property(mutatedDer(samples), (der) => {
        const certificate = orRefused(() => parseCertificate(der));
        if (certificate === undefined) return;
        parsed++;
        expect(Buffer.compare(certificate.der, der)).toBe(0);
        expect(serialNumberHex(certificate)).toMatch(/^-?[0-9a-f]+$/);
        for (const name of [certificate.subject, certificate.issuer]) {
          expect(orRefused(() => describeName(name)) ?? "").not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        }
        orRefused(() => certificate.publicKey);
        const [again] = parseCertificates(certificatePem(certificate));
        expect(again?.der.toHex()).toBe(certificate.der.toHex());
      }),
      fuzzParameters(0.1),
    );
    expect(parsed).toBeGreaterThan(0);
  });

  it("are nobody's X509-SVID unless a CA has signed them as they are", { timeout: fuzzTimeoutMs }, () => {
    const mutated = fc.record({
      der: mutatedDer(samples),
      above: fc.subarray([intermediate.certificate, root.certificate, limited.certificate]),
      genuineAbove: fc.boolean(),
      other: mutatedDer(certificates),
    });
    fc.assert(
      fc.property(mutated, ({ der, above, genuineAbove, other }) => {
        const leaf = orRefused(() => parseCertificate(der));
        if (leaf === undefined) return;
        const stranger = genuineAbove ? undefined : orRefused(() => parseCertificate(other));
        const chain: CertificateChain = [leaf, ...(stranger === undefined ? [] : [stranger]), ...above];
        const result = bounded(() => verifySvid({ chain, bundles, at, extendedKeyUsage: "clientAuth" }));
        if (result.kind === "verified") expect(genuine).toContain(leaf.der.toHex());
      }),
      fuzzParameters(0.1),
    );
  });
});

describe("revocation lists in DER, whatever they are", () => {
  it("are read or refused", { timeout: fuzzTimeoutMs }, () => {
    fc.assert(
      fc.property(mutatedDer(revocationLists), (der) => {
        orRefused(() => parseRevocationLists(encodePem("X509 CRL", der)));
      }),
      fuzzParameters(0.05),
    );
  });
});
