import type { TrustDomain } from "@signet/spiffe";
import { beforeAll, describe, expect, it } from "vitest";
import { buildCertificateAsync } from "./build-certificate.ts";
import { caConstraints } from "./ca-extensions.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { type DerValue, sequence } from "./der/der-writer.ts";
import { extension, extensionId } from "./extension.ts";
import { type SubjectAltName, subjectAltNames } from "./subject-alt-name.ts";
import { type TestCa, testBundles, testIntermediate, testKey, testLeaf, testRoot } from "./testing.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import { type SvidResult, verifySvid } from "./verify-svid.ts";
import { spiffeIdOf } from "./x509-svid.ts";

const at = new Date("2026-11-01T12:00:00Z");
const frontend = "spiffe://cluster.local/ns/demo/sa/frontend";
const uri = (value: string): SubjectAltName => ({ kind: "uri", value });
const rejection = (code: string): unknown => expect.objectContaining({ kind: "rejected", code });

let root: TestCa;
let other: TestCa;
let bundles: ReadonlyMap<TrustDomain, TrustBundle>;

beforeAll(async () => {
  root = await testRoot();
  other = await testRoot({ trustDomain: "other.example" });
  bundles = testBundles({ "cluster.local": root, "other.example": other });
});

const verify = (leaf: Certificate): SvidResult => verifySvid({ chain: [leaf], bundles, at });

async function leafWith(extensions: readonly DerValue[]): Promise<Certificate> {
  const key = await testKey();
  const names = extension(extensionId.subjectAltName, { critical: true }, subjectAltNames([uri(frontend)]));
  const der = await buildCertificateAsync(
    {
      serialNumber: Uint8Array.of(1),
      issuer: root.certificate.subject,
      subject: sequence(),
      notBefore: new Date("2026-01-01"),
      notAfter: new Date("2027-01-01"),
      spki: key.spki,
      extensions: [...extensions, names],
    },
    root.key,
  );
  return parseCertificate(der);
}

describe("verifySvid", () => {
  it("returns the SPIFFE ID of a leaf under the bundle of its trust domain", async () => {
    const { chain } = await testLeaf(await testIntermediate(root));
    for (const extendedKeyUsage of ["serverAuth", "clientAuth"] as const) {
      expect(verifySvid({ chain, bundles, at, extendedKeyUsage })).toEqual({ kind: "verified", spiffeId: frontend });
    }
  });

  it("lets no root vouch for a trust domain that is not its own", async () => {
    const { chain } = await testLeaf(other, { spiffeId: frontend });
    expect(verify(chain[0])).toEqual(rejection("chain-untrusted"));
    const mine = await testLeaf(other, { spiffeId: "spiffe://other.example/ns/demo/sa/frontend" });
    expect(verify(mine.chain[0]).kind).toBe("verified");
  });

  it("refuses a trust domain without a bundle", async () => {
    const { chain } = await testLeaf(root, { spiffeId: "spiffe://stranger.example/ns/demo/sa/frontend" });
    expect(verify(chain[0])).toEqual(rejection("trust-domain-unknown"));
  });

  it.each<[string, string, SubjectAltName[]]>([
    ["svid-uri-count", "no URI", [{ kind: "dns", value: "a.example" }]],
    ["svid-uri-count", "two URIs", [uri(frontend), uri("spiffe://cluster.local/ns/demo/sa/backend")]],
    ["svid-uri-count", "the same URI twice", [uri(frontend), uri(frontend)]],
    ["svid-uri-count", "a second URI that is no SPIFFE ID", [uri(frontend), uri("https://example.com")]],
    ["spiffe-id-invalid", "a URI that is no SPIFFE ID", [uri("https://example.com/a")]],
    ["spiffe-id-invalid", "a SPIFFE ID without path", [uri("spiffe://cluster.local")]],
    ["spiffe-id-invalid", "a SPIFFE ID with a NUL", [uri(`${frontend}\0`)]],
    ["spiffe-id-invalid", "a SPIFFE ID in capitals", [uri("SPIFFE://cluster.local/ns/demo/sa/frontend")]],
  ])("%s: %s", async (code, _what, names) => {
    const { chain } = await testLeaf(root, { subjectAltNames: names });
    expect(verify(chain[0])).toEqual(rejection(code));
    expect(() => spiffeIdOf(chain[0])).toThrow(expect.objectContaining({ name: "X509Error", code }));
  });

  it("does not mind names of other kinds", async () => {
    const { chain } = await testLeaf(root, { subjectAltNames: [{ kind: "dns", value: "a.example" }, uri(frontend)] });
    expect(verify(chain[0])).toEqual({ kind: "verified", spiffeId: frontend });
  });

  it("passes on why the chain was rejected", async () => {
    const { chain } = await testLeaf(root, { notAfter: new Date("2026-01-01") });
    expect(verify(chain[0])).toEqual(rejection("certificate-expired"));
    const serverOnly = await leafWith([usage(0x80), serverAuth()]);
    expect(verifySvid({ chain: [serverOnly], bundles, at, extendedKeyUsage: "clientAuth" })).toEqual(
      rejection("extended-key-usage-missing"),
    );
  });
});

describe("leaf (X509-SVID sections 4.1 and 4.3)", () => {
  it.each<[string, string, () => DerValue[]]>([
    ["verified", "digitalSignature alone", () => [usage(0x80)]],
    ["verified", "digitalSignature and keyEncipherment", () => [usage(0xa0)]],
    ["svid-is-a-ca", "the CA flag", () => [usage(0x80), caConstraints(undefined)]],
    ["svid-key-usage", "no key usage", () => []],
    ["svid-key-usage", "keyEncipherment alone", () => [usage(0x20)]],
    ["svid-key-usage", "keyCertSign", () => [usage(0x84)]],
    ["svid-key-usage", "cRLSign", () => [usage(0x82)]],
  ])("%s: %s", async (expected, _what, extensions) => {
    const result = verify(await leafWith(extensions()));
    expect(result.kind === "verified" ? result.kind : result.code).toBe(expected);
  });
});

function usage(bits: number): DerValue {
  return extension(extensionId.keyUsage, { critical: true }, Uint8Array.of(3, 2, 0, bits));
}

function serverAuth(): DerValue {
  const purpose = Uint8Array.fromHex("06082b06010505070301");
  return extension(extensionId.extendedKeyUsage, { critical: false }, sequence(purpose));
}
