import { buildCertificateAsync } from "./build-certificate.ts";
import { caConstraints, caKeyUsage } from "./ca-extensions.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { type DerValue, encodeDer } from "./der/der-writer.ts";
import { organizationOnly } from "./distinguished-name.ts";
import { extension, extensionId } from "./extension.ts";
import type { KeyPair } from "./key-pair.ts";
import { testKey } from "./testing.ts";
import { type ChainResult, verifyChain } from "./verify-chain.ts";

/** A certificate with its key, which may sign others whether it should or not. */
export type TestAuthority = { readonly certificate: Certificate; readonly key: KeyPair };

/** An instant at which whatever is made here is valid, unless the test says otherwise. */
export const at: Date = new Date("2026-11-01T12:00:00Z");
export const validity: { readonly notBefore: Date; readonly notAfter: Date } = {
  notBefore: new Date("2020-01-01T00:00:00Z"),
  notAfter: new Date("2045-01-01T00:00:00Z"),
};

/** What makes a CA. */
export const basicCa: readonly DerValue[] = [caKeyUsage, caConstraints(undefined)];
/** What makes a leaf. */
export const leafUsage: DerValue = extension(extensionId.keyUsage, { critical: true }, Uint8Array.of(3, 2, 5, 0xa0));

/** Returns a certificate with these very extensions, by default those of a CA; self-signed without an issuer. */
export async function testAuthority(options: {
  readonly name: string;
  /** Name instead of an organization of `name`. */
  readonly subject?: DerValue;
  readonly issuer?: TestAuthority;
  readonly key?: KeyPair;
  readonly extensions?: readonly DerValue[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Signs in the place of the issuer. */
  readonly signer?: KeyPair;
}): Promise<TestAuthority> {
  const key = options.key ?? (await testKey());
  const subject = encodeDer(options.subject ?? organizationOnly(options.name));
  const content = {
    serialNumber: Uint8Array.of(7),
    issuer: options.issuer?.certificate.subject ?? subject,
    subject,
    notBefore: options.notBefore ?? validity.notBefore,
    notAfter: options.notAfter ?? validity.notAfter,
    spki: key.spki,
    extensions: options.extensions ?? basicCa,
  };
  const der = await buildCertificateAsync(content, options.signer ?? options.issuer?.key ?? key);
  return { certificate: parseCertificate(der), key };
}

/** Returns a leaf that `issuer` signed. */
export function leafOf(issuer: TestAuthority, options: { readonly notAfter?: Date } = {}): Promise<TestAuthority> {
  return testAuthority({ name: "leaf", issuer, extensions: [leafUsage], ...options });
}

/** Verifies a chain, leaf first. */
export function verifyAuthorities(
  chain: readonly TestAuthority[],
  roots: readonly TestAuthority[],
  instant: Date = at,
): ChainResult {
  const [leaf, ...above] = chain;
  if (leaf === undefined) {
    throw new Error("a chain has at least one certificate");
  }
  const certificates = [leaf.certificate, ...above.map(({ certificate }) => certificate)] as const;
  return verifyChain({ chain: certificates, roots: roots.map(({ certificate }) => certificate), at: instant });
}
