import {
  type Certificate,
  type CertificateChain,
  describeName,
  type KeyUsage,
  type SvidTemplate,
  type TrustBundle,
} from "@signet/x509";
import { checkRemoteSvid } from "./check-remote-svid.ts";
import { CaError } from "./errors.ts";
import { sameSubjectAltNames } from "./same-subject-alt-names.ts";
import { verifyIssuer } from "./verify-issuer.ts";

/** What came back from a signing CA, and what it is held against. */
export type IssuedSvidCheck = {
  readonly chain: CertificateChain;
  readonly template: SvidTemplate;
  /** Taken before signing. */
  readonly trustBundle: TrustBundle;
  /** The instant of issuance; for a key elsewhere, taken after signing. */
  readonly at: Date;
  /**
   * False for a key in this process: its signature is good by construction, and the certificate is exactly the template.
   * True for a key elsewhere: the signature is verified, and the certificate may be less than the template: shorter, with
   * subject alternative names that are not critical, with labels in its subject, with other usages that do no harm.
   */
  readonly verifySignature: boolean;
  /** How much later than the template the certificate may end, in milliseconds; default 0. */
  readonly notAfterToleranceMs?: number;
};

const keyUsages: readonly KeyUsage[] = ["digitalSignature", "keyEncipherment"];
const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";

/** RFC 5280 section 4.1.2.2: positive, and at most 20 octets. */
const maxSerialNumber = 2n ** 159n;

/**
 * Checks that a certificate says what the template said and nothing more, and that its chain leads to the trust bundle.
 *
 * The last line before a certificate leaves the process: a backend that adds a name, keeps a different key, makes a CA,
 * or signs for longer is caught here. The chain above the leaf is verified once per trust bundle object.
 * @throws CaError `issued-svid-mismatch`
 * @example
 * ```ts
 * import { checkIssuedSvid, type SigningCa } from "@signet/ca";
 * import type { SvidTemplate } from "@signet/x509";
 * export async function signChecked(signingCa: SigningCa, template: SvidTemplate, signal: AbortSignal) {
 *   const trustBundle = signingCa.trustBundle.current();
 *   if (trustBundle === undefined) return undefined;
 *   const chain = await signingCa.sign({ template }, signal);
 *   checkIssuedSvid({ chain, template, trustBundle, at: new Date(), verifySignature: !signingCa.keyIsLocal });
 *   return chain;
 * }
 * ```
 */
export function checkIssuedSvid(check: IssuedSvidCheck): void {
  const [leaf] = check.chain;
  checkKeyAndNames(check);
  checkNoCa(leaf);
  if (check.verifySignature) checkRemoteSvid(leaf, check.template, check.at);
  else checkExactProfile(check);
  const latest = check.template.notAfter.getTime() + (check.notAfterToleranceMs ?? 0);
  if (leaf.notAfter.getTime() > latest) throw mismatch("certificate is valid for longer than the template");
  if (leaf.notAfter <= check.at) throw mismatch("certificate is not valid at the time of issuance");
  // A backend's clock may be a little ahead: then the path is judged at the first instant at which the leaf is valid.
  const issuer = verifyIssuer(leaf.notBefore > check.at ? { ...check, at: leaf.notBefore } : check);
  if (leaf.notAfter > issuer.notAfter) throw mismatch("certificate outlives its issuer");
}

function checkKeyAndNames({ chain: [leaf], template }: IssuedSvidCheck): void {
  if (Buffer.compare(leaf.spki, template.spki) !== 0) throw mismatch("certificate is for another public key");
  if (!sameSubjectAltNames(leaf.subjectAltNames, template.subjectAltNames)) {
    throw mismatch("certificate has other subject alternative names than the template");
  }
}

/** X509-SVID section 4: a leaf is no CA and signs no certificates. */
function checkNoCa(leaf: Certificate): void {
  if (leaf.isCa) throw mismatch("certificate is a CA");
  if (leaf.unknownCriticalExtensions.length > 0) throw mismatch("certificate has an unknown critical extension");
  if (leaf.serialNumber <= 0n || leaf.serialNumber >= maxSerialNumber) {
    throw mismatch("serial number is not positive or over 20 octets");
  }
}

/** Nothing lies between the template and a key in this process, so there is nothing to be lenient about. */
function checkExactProfile({ chain: [leaf], template, at }: IssuedSvidCheck): void {
  // RFC 5280 section 4.2.1.6 asks for critical where the subject is empty; our profile always has it.
  if (!leaf.subjectAltNameCritical) throw mismatch("subject alternative name extension is not critical");
  const emptySubject = leaf.subject.length === 2;
  const subjectOk =
    template.commonName === undefined ? emptySubject : describeName(leaf.subject) === `CN=${template.commonName}`;
  if (!subjectOk) throw mismatch("certificate has another subject than the template");
  if (!sameMembers([...(leaf.keyUsage ?? [])], keyUsages)) {
    throw mismatch("key usage is not digital signature and key encipherment");
  }
  if (!sameMembers(leaf.extendedKeyUsage ?? [], [serverAuth, clientAuth])) {
    throw mismatch("extended key usage is not server and client authentication");
  }
  if (leaf.notBefore > at) throw mismatch("certificate is not valid at the time of issuance");
  const sameValidity =
    leaf.notBefore.getTime() === wholeSeconds(template.notBefore) &&
    leaf.notAfter.getTime() === wholeSeconds(template.notAfter);
  if (!sameValidity) throw mismatch("certificate has another validity than the template");
}

function wholeSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000) * 1000;
}

function sameMembers<T>(actual: readonly T[], expected: readonly T[]): boolean {
  return actual.length === expected.length && expected.every((member) => actual.includes(member));
}

function mismatch(message: string): CaError {
  return new CaError("issued-svid-mismatch", message);
}
