import { bytesEqual } from "./bytes.ts";
import { type Certificate, serialNumberHex } from "./certificate.ts";
import { constrainedNames } from "./constrained-names.ts";
import { describeName } from "./distinguished-name.ts";
import { X509Error } from "./errors.ts";
import { purposeId } from "./extended-key-usage.ts";
import { nameProblem } from "./name-constraint-match.ts";
import { fitsKey, verifyBytes } from "./signature-algorithm.ts";

/** Why a chain was not accepted. */
export type ChainErrorCode =
  | "chain-untrusted"
  | "chain-too-long"
  | "chain-too-complex"
  | "certificate-expired"
  | "certificate-not-yet-valid"
  | "not-a-ca"
  | "path-too-long"
  | "key-usage-missing"
  | "critical-extension-unknown"
  | "name-constrained"
  | "name-constraints-unsupported"
  | "signature-invalid"
  | "algorithm-weak"
  | "algorithm-unsupported"
  | "public-key-malformed"
  | "extended-key-usage-missing";

/** What one certificate of a path does wrong. */
export interface PathProblem {
  readonly code: ChainErrorCode;
  readonly detail: string;
}

/** What a path is checked for. */
export interface PathRequirements {
  readonly at: Date;
  readonly extendedKeyUsage?: "serverAuth" | "clientAuth";
}

/** Most of a subject that a detail quotes: whoever presents a chain decides how long its names are. */
const maxSubjectCharacters = 200;

/** RSA keys below this size, in bits, prove nothing. */
const leastRsaBits = 2048;

/** Returns what is wrong with a certificate wherever it stands in the path, or undefined. */
export function certificateProblem(certificate: Certificate, requirements: PathRequirements): PathProblem | undefined {
  const { publicKeyInfo: key } = certificate;
  const [critical] = certificate.unknownCriticalExtensions;
  // RFC 5280 section 6.1.4 (o) and 6.1.5 (f).
  if (critical !== undefined) {
    return problem(
      "critical-extension-unknown",
      certificate,
      `has the critical extension ${critical}, which is unknown`,
    );
  }
  if (key.kind === "rsa" && key.bits < leastRsaBits) {
    return problem("algorithm-weak", certificate, `has an RSA key of ${key.bits} bits, below ${leastRsaBits}`);
  }
  return validityProblem(certificate, requirements.at) ?? purposeProblem(certificate, requirements.extendedKeyUsage);
}

/** RFC 5280 section 6.1.3 (a) (2); both ends belong to the validity (section 4.1.2.5). */
function validityProblem(certificate: Certificate, at: Date): PathProblem | undefined {
  const { notBefore, notAfter } = certificate;
  // Written so that an invalid date is refused.
  if (!(at.getTime() >= notBefore.getTime())) {
    return problem("certificate-not-yet-valid", certificate, `is not valid before ${notBefore.toISOString()}`);
  }
  if (!(at.getTime() <= notAfter.getTime())) {
    return problem("certificate-expired", certificate, `expired at ${notAfter.toISOString()}`);
  }
  return undefined;
}

/** RFC 5280 section 4.2.1.12; a CA that is limited to some purposes limits what is below it, as in Go and OpenSSL. */
function purposeProblem(
  certificate: Certificate,
  purpose: PathRequirements["extendedKeyUsage"],
): PathProblem | undefined {
  const purposes = certificate.extendedKeyUsage;
  if (purpose === undefined || purposes === undefined) {
    return undefined;
  }
  if (purposes.includes(purposeId[purpose].dotted) || purposes.includes(purposeId.any.dotted)) {
    return undefined;
  }
  return problem("extended-key-usage-missing", certificate, `is not meant for ${purpose}`);
}

/**
 * Returns what keeps `issuer` from having issued the last certificate of `path`, apart from its signature, or undefined.
 */
export function issuerProblem(issuer: Certificate, path: readonly Certificate[]): PathProblem | undefined {
  // RFC 5280 section 6.1.4 (k); roots of version 1, which cannot say that they are CAs, are refused as well.
  if (!issuer.isCa) {
    return problem("not-a-ca", issuer, "is not a CA");
  }
  // RFC 5280 section 6.1.4 (n).
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.has("keyCertSign")) {
    return problem("key-usage-missing", issuer, "may not sign certificates");
  }
  // RFC 5280 section 6.1.4 (l) and (m): self-issued certificates and the leaf do not count.
  const intermediates = path.slice(1).filter((certificate) => !isSelfIssued(certificate)).length;
  if (issuer.pathLength !== undefined && intermediates > issuer.pathLength) {
    return problem("path-too-long", issuer, `allows ${issuer.pathLength} intermediates below it, not ${intermediates}`);
  }
  return undefined;
}

const nameProblemCodes = {
  constrained: "name-constrained",
  unsupported: "name-constraints-unsupported",
  "too-complex": "chain-too-complex",
} as const;

/**
 * Returns why the name constraints of `issuer` do not allow a name on `path`, or undefined (RFC 5280 sections 4.2.1.10
 * and 6.1.3 (b) and (c)): those of the leaf and of every intermediate that is not self-issued. A root's count as well.
 */
export function nameConstraintProblem(issuer: Certificate, path: readonly Certificate[]): PathProblem | undefined {
  const { nameConstraints } = issuer;
  if (nameConstraints === undefined) {
    return undefined;
  }
  for (const [index, certificate] of path.entries()) {
    const found =
      index > 0 && isSelfIssued(certificate) ? undefined : nameProblem(constrainedNames(certificate), nameConstraints);
    if (found !== undefined) {
      return problem(nameProblemCodes[found.kind], issuer, found.detail);
    }
  }
  return undefined;
}

/** Returns what is wrong with the signature of `issuer` on `certificate`, or undefined (RFC 5280 section 6.1.3 (a) (1)). */
export function signatureProblem(certificate: Certificate, issuer: Certificate): PathProblem | undefined {
  const { signatureAlgorithm: algorithm, tbs: data, signature } = certificate;
  if (algorithm === "weak") {
    return problem("algorithm-weak", certificate, "is signed with MD5 or SHA-1");
  }
  if (algorithm === "unknown") {
    return problem("algorithm-unsupported", certificate, "is signed with an algorithm that is not supported");
  }
  try {
    if (fitsKey(algorithm, issuer.publicKeyInfo) && verifyBytes(algorithm, { data, signature }, issuer.publicKey)) {
      return undefined;
    }
  } catch (error) {
    if (error instanceof X509Error) {
      return problem("public-key-malformed", issuer, `has no valid key: ${error.message}`);
    }
    throw error;
  }
  return problem("signature-invalid", certificate, `is not signed by the key of ${describe(issuer)}`);
}

/** Returns a problem of `certificate`; `what` completes a sentence that begins with the certificate. */
export function problem(code: ChainErrorCode, certificate: Certificate, what: string): PathProblem {
  return { code, detail: `${describe(certificate)} ${what}` };
}

function describe(certificate: Certificate): string {
  const subject = describeName(certificate.subject).slice(0, maxSubjectCharacters) || "no subject";
  return `certificate ${serialNumberHex(certificate)} (${subject})`;
}

function isSelfIssued(certificate: Certificate): boolean {
  return bytesEqual(certificate.issuer, certificate.subject);
}
