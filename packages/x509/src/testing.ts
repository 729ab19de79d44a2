import { randomBytes } from "node:crypto";
import { parseSpiffeId, parseTrustDomain, type TrustDomain } from "@signet/spiffe";
import { buildCertificateAsync } from "./build-certificate.ts";
import { type Certificate, certificatePem, parseCertificate } from "./certificate.ts";
import { encodeDer } from "./der/der-writer.ts";
import { organizationOnly } from "./distinguished-name.ts";
import { generateKeyPair, type KeyPair, type KeyType } from "./key-pair.ts";
import { randomSerialNumber } from "./serial-number.ts";
import { signLeafAsync } from "./sign-leaf.ts";
import type { SubjectAltName } from "./subject-alt-name.ts";
import { type TestCaRights, testCaExtensions } from "./test-ca-extensions.ts";
import { parseTrustBundle, type TrustBundle } from "./trust-bundle.ts";
import type { X509Svid } from "./x509-svid.ts";

export type { TestCaRights, TestNameConstraints, TestSubtree } from "./test-ca-extensions.ts";
export { type TestRevocationListOptions, testRevocationList } from "./test-revocation-list.ts";

/** A CA certificate with its key; `chain` leads from it to below its root, `trustBundle` holds that root. */
export interface TestCa {
  readonly certificate: Certificate;
  readonly key: KeyPair;
  readonly pem: string;
  /** Empty for a root, which is never sent; for an intermediate itself and those above it. */
  readonly chain: readonly Certificate[];
  readonly trustBundle: TrustBundle;
}

/** Validity of whatever is made here: wide enough for any clock a test sets, unless the test says otherwise. */
export interface TestValidity {
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

const from = new Date("2020-01-01T00:00:00Z");
const until = new Date("2045-01-01T00:00:00Z");

const rsaKeys = new Map<string, Promise<KeyPair>>();

/**
 * Returns a key for tests: always a new one, but RSA keys, which take long to make, are kept by type and `name`.
 * @example
 * ```ts
 * import { testKey } from "@signet/x509/testing";
 * const key = await testKey("RSA-2048", "workload");
 * ```
 */
export function testKey(type: KeyType = "P-256", name = "key"): Promise<KeyPair> {
  if (!type.startsWith("RSA-")) {
    return generateKeyPair(type);
  }
  const id = `${type} ${name}`;
  const key = rsaKeys.get(id) ?? generateKeyPair(type);
  rsaKeys.set(id, key);
  return key;
}

/**
 * Returns a self-signed root of a trust domain, by default P-256 and `cluster.local`. Roots of the same name have keys of
 * their own, unless they are RSA or `key` is given.
 * @example
 * ```ts
 * import { testRoot } from "@signet/x509/testing";
 * const root = await testRoot({ type: "RSA-2048" });
 * ```
 */
export async function testRoot(
  options: TestValidity &
    TestCaRights & { readonly type?: KeyType; readonly trustDomain?: string; readonly key?: KeyPair } = {},
): Promise<TestCa> {
  const organization = options.trustDomain ?? "cluster.local";
  const key = options.key ?? (await testKey(options.type, `root of ${organization}`));
  const name = encodeDer(organizationOnly(organization));
  const der = await buildCertificateAsync(
    {
      serialNumber: serialNumber(),
      issuer: name,
      subject: name,
      ...validityOf(options),
      spki: key.spki,
      extensions: testCaExtensions({ ...options, spki: key.spki }),
    },
    key,
  );
  const certificate = parseCertificate(der);
  const pem = certificatePem(certificate);
  return { certificate, key, pem, chain: [], trustBundle: parseTrustBundle(pem) };
}

/**
 * Returns an intermediate CA signed by `parent`.
 * @example
 * ```ts
 * import { testIntermediate, testRoot } from "@signet/x509/testing";
 * const intermediate = await testIntermediate(await testRoot(), { pathLength: 0 });
 * ```
 */
export async function testIntermediate(
  parent: TestCa,
  options: TestValidity &
    TestCaRights & {
      readonly type?: KeyType;
      readonly organization?: string;
      readonly pathLength?: number;
      readonly key?: KeyPair;
    } = {},
): Promise<TestCa> {
  const organization = options.organization ?? "intermediate";
  const key = options.key ?? (await testKey(options.type, organization));
  const issuerKeyIdentifier = parent.certificate.subjectKeyIdentifier;
  const der = await buildCertificateAsync(
    {
      serialNumber: serialNumber(),
      issuer: parent.certificate.subject,
      subject: encodeDer(organizationOnly(organization)),
      ...validityOf(options),
      spki: key.spki,
      extensions: testCaExtensions({ ...options, spki: key.spki, issuerKeyIdentifier }),
    },
    parent.key,
  );
  const certificate = parseCertificate(der);
  const chain = [certificate, ...parent.chain];
  return { certificate, key, pem: certificatePem(certificate), chain, trustBundle: parent.trustBundle };
}

/**
 * Returns an X509-SVID signed by `issuer`, by default of `spiffe://cluster.local/ns/demo/sa/frontend` with a P-256 key.
 * @example
 * ```ts
 * import { testRoot, testLeaf } from "@signet/x509/testing";
 * const { chain, key } = await testLeaf(await testRoot(), { spiffeId: "spiffe://cluster.local/ns/demo/sa/backend" });
 * ```
 */
export async function testLeaf(
  issuer: TestCa,
  options: TestValidity & {
    readonly spiffeId?: string;
    readonly type?: KeyType;
    readonly key?: KeyPair;
    /** Instead of the one SPIFFE ID. */
    readonly subjectAltNames?: readonly SubjectAltName[];
  } = {},
): Promise<X509Svid> {
  const spiffeId = parseSpiffeId(options.spiffeId ?? "spiffe://cluster.local/ns/demo/sa/frontend");
  const key = options.key ?? (await testKey(options.type, "workload"));
  const subjectAltNames = options.subjectAltNames ?? [{ kind: "uri", value: spiffeId }];
  const der = await signLeafAsync({
    template: { spki: key.spki, subjectAltNames, ...validityOf(options) },
    issuer,
    serialNumber: serialNumber(),
  });
  return { spiffeId, chain: [parseCertificate(der), ...issuer.chain], key };
}

/**
 * Returns the trust bundles that `verifySvid` wants: of each CA given, by trust domain.
 * @example
 * ```ts
 * import { testBundles, testRoot } from "@signet/x509/testing";
 * const bundles = testBundles({ "cluster.local": await testRoot() });
 * ```
 */
export function testBundles(cas: Readonly<Record<string, TestCa>>): ReadonlyMap<TrustDomain, TrustBundle> {
  return new Map(Object.entries(cas).map(([name, { trustBundle }]) => [parseTrustDomain(name), trustBundle]));
}

function validityOf(options: TestValidity): { notBefore: Date; notAfter: Date } {
  return { notBefore: options.notBefore ?? from, notAfter: options.notAfter ?? until };
}

function serialNumber(): Uint8Array {
  return randomSerialNumber(randomBytes);
}
