import { CaError, type SigningRequest } from "@signet/ca";
import type { CertificateSigningRequest } from "@signet/kubernetes";
import { formatDuration } from "@signet/runtime";
import { encodePem, type SubjectAltName, type SvidTemplate } from "@signet/x509";
import { checkCsrShape } from "./csr-shape.ts";

/** The shortest lifetime that Kubernetes accepts for a certificate (certificates.k8s.io/v1, expirationSeconds). */
export const minLifetimeMs = 600_000;

/**
 * A signer counts a lifetime from when it signs, by a clock of its own. So that a certificate does not outlive what was
 * decided, this much is taken off; where that would leave less than Kubernetes accepts, it may end this much later.
 */
export const signingAllowanceMs = 60_000;

/** What a request of Kubernetes is made from. */
export type CsrRequestOptions = {
  readonly signerName: string;
  /** Unique; ours, so that the object can be deleted also when the answer to its creation was lost. */
  readonly name: string;
  readonly now: Date;
};

/**
 * Returns the object that asks a signer of Kubernetes for the certificate of a template.
 *
 * The names are the template's, and as it is the CSR that a signer reads, the CSR must ask for those and nothing else.
 * @throws CaError `csr-malformed` for a CSR that asks for anything else, `lifetime-unsupported` below 600 seconds,
 *   `signing-failed` without a CSR
 */
export function decideCsrRequest(request: SigningRequest, options: CsrRequestOptions): CertificateSigningRequest {
  const { template, csr } = request;
  if (csr === undefined) throw new CaError("signing-failed", "signers of Kubernetes need a CSR, and there is none");
  const expirationSeconds = decideExpirationSeconds(template, options.now);
  checkCsrShape(csr);
  if (csr.hasCommonName || !sameNames(csr.requestedSubjectAltNames, template.subjectAltNames)) {
    throw new CaError("csr-malformed", "CSR asks for other names than the caller's, which a signer would copy");
  }
  if (Buffer.compare(csr.spki, template.spki) !== 0) {
    throw new CaError("csr-malformed", "CSR is not for the key of the template");
  }
  return {
    metadata: { generateName: namePrefix, name: options.name },
    spec: {
      request: Buffer.from(encodePem("CERTIFICATE REQUEST", csr.der), "latin1").toString("base64"),
      signerName: options.signerName,
      usages: ["digital signature", "key encipherment", "server auth", "client auth"],
      expirationSeconds,
    },
  };
}

/** What istiod's requests are named after. */
const namePrefix = "csr-workload-";

/** Returns a name for a request; 80 random bits, and Kubernetes refuses a name that is taken. */
export function csrRequestName(randomBytes: (size: number) => Uint8Array): string {
  return `${namePrefix}${randomBytes(10).toHex()}`;
}

/** How long before its making a template begins; `decideLifetime` dates it back so. */
const backdatingMs = 120_000;

function decideExpirationSeconds({ notBefore, notAfter }: SvidTemplate, now: Date): number {
  // Of what was decided, and not of what is left of it now: ten minutes that were asked for are ten minutes.
  const lifetimeMs = notAfter.getTime() - notBefore.getTime() - backdatingMs;
  if (!(lifetimeMs >= minLifetimeMs)) {
    const [wanted, least] = [Math.max(0, lifetimeMs), minLifetimeMs].map(formatDuration);
    throw new CaError(
      "lifetime-unsupported",
      `lifetime of ${wanted} is below ${least}, the least that Kubernetes signs for`,
    );
  }
  const wantedMs = notAfter.getTime() - now.getTime() - signingAllowanceMs;
  return Math.floor(Math.max(minLifetimeMs, wantedMs) / 1000);
}

function sameNames(a: readonly SubjectAltName[], b: readonly SubjectAltName[]): boolean {
  const left = a.map(nameKey).sort();
  const right = b.map(nameKey).sort();
  return left.length === right.length && left.every((key, index) => key !== undefined && key === right[index]);
}

function nameKey(name: SubjectAltName): string | undefined {
  return name.kind === "other" ? undefined : `${name.kind}:${name.value}`;
}
