import { CaError, type SigningRequest } from "@signet/ca";
import type { CertificateSigningRequest } from "@signet/kubernetes";
import { formatDuration } from "@signet/runtime";
import { encodePem, type SubjectAltName, type SvidTemplate } from "@signet/x509";
import { checkCsrShape } from "./csr-shape.ts";

/** The shortest lifetime that Kubernetes accepts for a certificate (certificates.k8s.io/v1, expirationSeconds). */
const minExpirationMs = 600_000;

/**
 * What is taken off a lifetime: a signer counts it from when it signs, by a clock of its own, and a certificate must not
 * outlive what was decided.
 */
const allowanceMs = 60_000;

/** The shortest lifetime that can be decided and signed through Kubernetes. */
export const minLifetimeMs: number = minExpirationMs + allowanceMs;

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
 * @throws CaError `csr-malformed` for a CSR that asks for anything else, `lifetime-unsupported` below 660 seconds,
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
  // Of what was decided, and not of what is left of it now: eleven minutes that were asked for are eleven minutes.
  const lifetimeMs = notAfter.getTime() - notBefore.getTime() - backdatingMs;
  if (!(lifetimeMs >= minLifetimeMs)) {
    const [wanted, least, kubernetes] = [Math.max(0, lifetimeMs), minLifetimeMs, minExpirationMs].map(formatDuration);
    throw new CaError(
      "lifetime-unsupported",
      `lifetime of ${wanted} is below the minimum of ${least}: Kubernetes signs for ${kubernetes} or more, counted from its signature`,
    );
  }
  const wantedMs = notAfter.getTime() - now.getTime() - allowanceMs;
  return Math.floor(Math.max(minExpirationMs, wantedMs) / 1000);
}

function sameNames(a: readonly SubjectAltName[], b: readonly SubjectAltName[]): boolean {
  const left = a.map(nameKey).sort();
  const right = b.map(nameKey).sort();
  return left.length === right.length && left.every((key, index) => key !== undefined && key === right[index]);
}

function nameKey(name: SubjectAltName): string | undefined {
  return name.kind === "other" ? undefined : `${name.kind}:${name.value}`;
}
