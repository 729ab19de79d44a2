import { type Certificate, describeName, type SvidTemplate } from "@signet/x509";
import { CaError } from "./errors.ts";

/** How far ahead of ours a backend's clock may be. */
export const maxClockAheadMs = 60_000;

/** How long before the template's beginning a backend may date a certificate back: Kubernetes does so by 5 minutes. */
const maxBackdatingMs = 3_600_000;

const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";

/** Purposes that a workload must not have: anything at all, and answering for the CA about revocation. */
const refusedPurposes = new Set(["2.5.29.37.0", "1.3.6.1.5.5.7.3.9"]);

/**
 * Checks what may differ where somebody else makes the certificate: a backend may leave out what peers do not need and
 * add what does them no harm, and it may sign for less time.
 *
 * `at` is taken after signing: a backend dates a certificate by its own clock, when it signs.
 * @throws CaError `issued-svid-mismatch`
 */
export function checkRemoteSvid(leaf: Certificate, template: SvidTemplate, at: Date): void {
  checkCommonNames(leaf, template);
  checkUsages(leaf);
  checkBeginning(leaf, template, at);
}

/** Other attributes of a subject are labels; a common name is a name, and old clients go by it. */
function checkCommonNames({ subject }: Certificate, { commonName }: SvidTemplate): void {
  const allowed = commonName === undefined ? undefined : `CN=${commonName}`;
  if (commonNamesIn(describeName(subject)).some((name) => name !== allowed)) {
    throw mismatch("certificate has a common name that is not the template's");
  }
}

/** The common names in what `describeName` returns, which escapes every separator that stands in a value. */
function commonNamesIn(subject: string): readonly string[] {
  return (subject.match(/(?:\\.|[^\\,+])+/gs) ?? []).filter((attribute) => attribute.startsWith("CN="));
}

function checkUsages({ keyUsage, extendedKeyUsage }: Certificate): void {
  if (!keyUsage?.has("digitalSignature")) throw mismatch("key usage lacks digital signature");
  if (keyUsage.has("keyCertSign") || keyUsage.has("cRLSign")) throw mismatch("key usage is a CA's");
  if (!extendedKeyUsage?.includes(serverAuth) || !extendedKeyUsage.includes(clientAuth)) {
    throw mismatch("extended key usage lacks server or client authentication");
  }
  if (extendedKeyUsage.some((purpose) => refusedPurposes.has(purpose))) {
    throw mismatch("extended key usage is more than a workload's");
  }
}

function checkBeginning({ notBefore }: Certificate, template: SvidTemplate, at: Date): void {
  if (notBefore.getTime() > at.getTime() + maxClockAheadMs) {
    throw mismatch("certificate is not valid at the time of issuance");
  }
  if (notBefore.getTime() < template.notBefore.getTime() - maxBackdatingMs) {
    throw mismatch("certificate is dated back by more than an hour");
  }
}

function mismatch(message: string): CaError {
  return new CaError("issued-svid-mismatch", message);
}
