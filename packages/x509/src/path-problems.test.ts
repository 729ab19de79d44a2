import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { authorityKeyIdentifier, caConstraints, caKeyUsage, subjectKeyIdentifier } from "./ca-extensions.ts";
import { parseCertificate } from "./certificate.ts";
import { type DerValue, sequence } from "./der/der-writer.ts";
import { objectIdentifier } from "./der/object-identifier.ts";
import { purposeId } from "./extended-key-usage.ts";
import { extension, extensionId } from "./extension.ts";
import { type KeyPair, parsePrivateKey } from "./key-pair.ts";
import { buildOddCertificate } from "./peculiar.ts";
import { at, basicCa, leafOf, leafUsage, testAuthority, validity, verifyAuthorities } from "./test-authority.ts";
import { type TestCa, testKey, testLeaf, testRoot } from "./testing.ts";
import { type ChainResult, verifyChain } from "./verify-chain.ts";

const rejection = (code: string): unknown => expect.objectContaining({ kind: "rejected", code });
const purposes = (...of: (keyof typeof purposeId)[]): DerValue =>
  extension(
    extensionId.extendedKeyUsage,
    { critical: false },
    sequence(...of.map((purpose) => purposeId[purpose].der)),
  );

let root: TestCa;
let spareKey: KeyPair;

beforeAll(async () => {
  root = await testRoot();
  spareKey = await testKey();
});

describe("validity (RFC 5280 section 6.1.3 (a) (2))", () => {
  it.each([
    ["2025-12-31T23:59:59.999Z", "certificate-not-yet-valid"],
    ["2026-01-01T00:00:00.000Z", "verified"],
    ["2026-06-01T00:00:00.000Z", "verified"],
    ["2026-06-01T00:00:00.001Z", "certificate-expired"],
  ])("at %s: %s, for a leaf, an intermediate and a root", async (instant, expected) => {
    const short = { notBefore: new Date("2026-01-01"), notAfter: new Date("2026-06-01") };
    const outcome = (result: ChainResult): string => (result.kind === "verified" ? "verified" : result.code);
    const [wideRoot, shortRoot] = [await testAuthority({ name: "a" }), await testAuthority({ name: "b", ...short })];
    const shortIntermediate = await testAuthority({ name: "c", issuer: wideRoot, ...short });
    const shortLeaf = await testAuthority({ name: "leaf", issuer: wideRoot, extensions: [leafUsage], ...short });
    const chains = [[shortLeaf], [await leafOf(shortRoot)], [await leafOf(shortIntermediate), shortIntermediate]];
    const results = chains.map((chain) => outcome(verifyAuthorities(chain, [wideRoot, shortRoot], new Date(instant))));
    expect(results).toEqual([expected, expected, expected]);
  });

  it("refuses an instant that is none", async () => {
    expect(verifyAuthorities([await leafOf(root)], [root], new Date(Number.NaN)).kind).toBe("rejected");
  });
});

describe("issuers (RFC 5280 section 6.1.4)", () => {
  const constraints = extensionId.basicConstraints;
  it.each<[string, string, readonly DerValue[]]>([
    ["not-a-ca", "no basic constraints (k)", [caKeyUsage]],
    [
      "not-a-ca",
      "basic constraints that say so (k)",
      [caKeyUsage, extension(constraints, { critical: true }, sequence())],
    ],
    ["key-usage-missing", "a key usage without keyCertSign (n)", [leafUsage, caConstraints(undefined)]],
    ["verified", "no key usage at all (n)", [caConstraints(undefined)]],
    [
      "critical-extension-unknown",
      "a critical extension (o)",
      [...basicCa, extension(objectIdentifier("1.2.3.4"), { critical: true }, Uint8Array.of(5, 0))],
    ],
    [
      "critical-extension-unknown",
      "critical policy constraints (o)",
      [...basicCa, extension(objectIdentifier("2.5.29.36"), { critical: true }, sequence())],
    ],
    [
      "verified",
      "other extensions",
      [...basicCa, extension(objectIdentifier("1.2.3.4"), { critical: false }, sequence())],
    ],
  ])("%s: an intermediate or a root with %s", async (expected, _what, extensions) => {
    const intermediate = await testAuthority({ name: "intermediate", issuer: root, extensions });
    const oddRoot = await testAuthority({ name: "odd", extensions });
    for (const result of [
      verifyAuthorities([await leafOf(intermediate), intermediate], [root]),
      verifyAuthorities([await leafOf(oddRoot)], [oddRoot]),
    ]) {
      expect(result).toEqual(
        expected === "verified" ? expect.objectContaining({ kind: expected }) : rejection(expected),
      );
    }
  });

  it("refuses a leaf that issues", async () => {
    const { chain, key } = await testLeaf(root);
    const below = await testAuthority({
      name: "below",
      issuer: { certificate: chain[0], key },
      extensions: [leafUsage],
    });
    const asIssuer = { certificate: chain[0], key };
    expect(verifyAuthorities([below, asIssuer], [root])).toEqual(rejection("not-a-ca"));
    expect(verifyAuthorities([below], [asIssuer])).toEqual(rejection("not-a-ca"));
  });

  it("refuses a leaf with an unknown critical extension (section 6.1.5 (f))", async () => {
    const extensions = [extension(objectIdentifier("1.2.3.4"), { critical: true }, Uint8Array.of(5, 0))];
    expect(verifyAuthorities([await testAuthority({ name: "leaf", issuer: root, extensions })], [root])).toEqual(
      rejection("critical-extension-unknown"),
    );
  });
});

describe("signatures (RFC 5280 section 6.1.3 (a) (1))", () => {
  it("refuses a stranger under a root of the same name", async () => {
    const { chain } = await testLeaf(await testRoot());
    expect(verifyChain({ chain, roots: [root.certificate], at })).toEqual(rejection("signature-invalid"));
  });

  it("refuses an intermediate that its issuer did not sign", async () => {
    const forged = await testAuthority({ name: "forged", issuer: root, signer: spareKey });
    expect(verifyAuthorities([await leafOf(forged), forged], [root])).toEqual(rejection("signature-invalid"));
  });

  it("refuses a signature whose algorithm is not for the issuer's key", async () => {
    const forged = await testAuthority({
      name: "leaf",
      issuer: root,
      signer: await testKey("RSA-2048"),
      extensions: [leafUsage],
    });
    expect(verifyAuthorities([forged], [root])).toEqual(rejection("signature-invalid"));
  });

  it.each(["RSA-2048", "P-256"] as const)("refuses a %s signature under an Ed25519 issuer", async (type) => {
    const issuer = await testAuthority({ name: "ed25519", key: await testKey("Ed25519") });
    const forged = await testAuthority({ name: "leaf", issuer, signer: await testKey(type), extensions: [leafUsage] });
    expect(verifyAuthorities([forged], [issuer])).toEqual(rejection("signature-invalid"));
  });

  it("refuses names that differ, if only in their encoding", async () => {
    const other = await testAuthority({ name: "cluster.local", key: root.key });
    const utf8 = Uint8Array.fromHex(other.certificate.subject.toHex().replace("130d", "0c0d"));
    const { chain } = await testLeaf(root);
    const renamed = { ...root.certificate, subject: utf8 };
    expect(verifyChain({ chain, roots: [renamed], at })).toEqual(rejection("chain-untrusted"));
    expect(verifyChain({ chain, roots: [other.certificate], at }).kind).toBe("verified");
  });

  it("uses key identifiers for order only: a wrong one does not keep a good path from being found", async () => {
    const wrong = authorityKeyIdentifier(new Uint8Array(20));
    const ca = await testAuthority({ name: "ca", extensions: [...basicCa, subjectKeyIdentifier(root.key.spki)] });
    const leaf = await testAuthority({ name: "leaf", issuer: ca, extensions: [leafUsage, wrong] });
    expect(verifyAuthorities([leaf], [ca]).kind).toBe("verified");
  });

  it.each(["SHA-1"] as const)("refuses %s", async (hash) => {
    const rsa = await testAuthority({ name: "rsa", key: await testKey("RSA-2048") });
    const der = await buildOddCertificate({
      ...odd(spareKey),
      issuer: { name: rsa.certificate.subject, key: rsa.key },
      hash,
    });
    expect(verifyAuthorities([{ certificate: parseCertificate(der), key: spareKey }], [rsa])).toEqual(
      rejection("algorithm-weak"),
    );
  });

  it("does not look at the signature of a root", async () => {
    const key = await testKey("RSA-2048");
    const der = await buildOddCertificate({ ...odd(key), extensions: caExtensions(), hash: "SHA-1" });
    const sha1Root = { certificate: parseCertificate(der), key };
    expect(sha1Root.certificate.signatureAlgorithm).toBe("weak");
    expect(verifyAuthorities([await leafOf(sha1Root)], [sha1Root]).kind).toBe("verified");
  });

  it("refuses RSA keys below 2048 bits, of a leaf and of a root", async () => {
    const key = weakKey();
    const leaf = await buildOddCertificate({ ...odd(key), issuer: { name: root.certificate.subject, key: root.key } });
    expect(verifyAuthorities([{ certificate: parseCertificate(leaf), key }], [root])).toEqual(
      rejection("algorithm-weak"),
    );
    const weakRoot = {
      key,
      certificate: parseCertificate(await buildOddCertificate({ ...odd(key), extensions: caExtensions() })),
    };
    expect(verifyAuthorities([await leafOf(weakRoot)], [weakRoot])).toEqual(rejection("algorithm-weak"));
  });

  it("refuses an issuer whose point is not on its curve", async () => {
    const spki = root.key.spki.slice();
    spki.fill(1, spki.length - 64);
    const broken = await testAuthority({ name: "broken", key: { ...root.key, spki } });
    expect(verifyAuthorities([await leafOf(broken)], [broken])).toEqual(rejection("public-key-malformed"));
  });

  const odd = (key: KeyPair) => ({
    subject: "O=odd",
    key,
    serialNumber: "0a",
    ...validity,
    extensions: [{ oid: "2.5.29.15", critical: true, value: Uint8Array.of(3, 2, 5, 0xa0) }],
  });
  const caExtensions = () => [{ oid: "2.5.29.19", critical: true, value: Uint8Array.fromHex("30030101ff") }];

  function weakKey(): KeyPair {
    const pem = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({ format: "pem", type: "pkcs8" });
    expect(createPublicKey(pem).asymmetricKeyDetails?.modulusLength).toBe(1024);
    return parsePrivateKey(pem.toString());
  }
});

describe("extended key usage (RFC 5280 section 4.2.1.12)", () => {
  it.each<[string, string, DerValue[], DerValue[]]>([
    ["verified", "absent everywhere", [], []],
    ["verified", "named by the leaf", [purposes("serverAuth", "clientAuth")], []],
    ["verified", "any, in leaf and CA", [purposes("any")], [purposes("any")]],
    ["rejected", "another in the leaf", [purposes("serverAuth")], []],
    ["rejected", "another in the CA", [purposes("clientAuth")], [purposes("serverAuth")]],
    ["verified", "named by leaf and CA", [purposes("clientAuth")], [purposes("serverAuth", "clientAuth")]],
  ])("%s for clientAuth: %s", async (expected, _what, ofLeaf, ofCa) => {
    const ca = await testAuthority({ name: "ca", issuer: root, extensions: [...basicCa, ...ofCa] });
    const leaf = await testAuthority({ name: "leaf", issuer: ca, extensions: [leafUsage, ...ofLeaf] });
    const options = { chain: [leaf.certificate, ca.certificate], roots: [root.certificate], at } as const;
    const result = verifyChain({ ...options, extendedKeyUsage: "clientAuth" });
    expect(result).toEqual(
      expected === "verified" ? expect.objectContaining({ kind: expected }) : rejection("extended-key-usage-missing"),
    );
    expect(verifyChain(options).kind).toBe("verified");
  });
});
