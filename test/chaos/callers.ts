import { type KeyObject, X509Certificate } from "node:crypto";
import { type Channel, type StatusName, statusName } from "@signet/grpc";
import { parseSpiffeId, type SpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, parsePem } from "@signet/x509";
import { type CertificateAnswer, type CertificateCall, createCertificate } from "../e2e/ca-server-fixture.ts";

/** A workload that asks for its own certificate. */
export type Caller = {
  readonly spiffeId: SpiffeId;
  readonly csr: string;
  readonly publicKey: KeyObject;
  /** What it shows; asked for before each call. */
  readonly token: () => string | undefined;
  readonly metadata?: CertificateCall["metadata"];
  readonly headers?: CertificateCall["headers"];
};

/** What came of a call: `wrong` holds why a certificate that was issued should not have been. */
export type CallOutcome = {
  readonly kind: "issued" | StatusName;
  readonly answer: CertificateAnswer;
  readonly wrong?: string;
  readonly durationMs: number;
};

/** Longer than any server works for a call, so that what ends a call is never the client. */
const patienceMs = 90_000;

/** Returns a caller with a key of its own; its CSR names somebody else, which must count for nothing. */
export async function createCaller(
  caller: Pick<Caller, "token" | "metadata" | "headers"> & { readonly spiffeId: string; readonly csrId?: string },
): Promise<Caller> {
  const key = await generateKeyPair("P-256");
  const { csrId = "spiffe://cluster.local/ns/somebody/sa/else" } = caller;
  return {
    ...caller,
    spiffeId: parseSpiffeId(caller.spiffeId),
    csr: createCsr({ key, spiffeId: parseSpiffeId(csrId) }),
    publicKey: key.publicKey,
  };
}

/** Makes one call and looks at what was issued with eyes other than the server's. */
export async function callOnce(
  channel: Channel,
  caller: Caller,
  changes: Partial<CertificateCall> = {},
): Promise<CallOutcome> {
  const { csr, metadata, headers } = caller;
  const startedAt = performance.now();
  const extras = { ...(metadata !== undefined && { metadata }), ...(headers !== undefined && { headers }) };
  const call = { csr, token: caller.token(), ...extras, ...changes };
  const answer = await createCertificate(channel, call, patienceMs);
  const durationMs = performance.now() - startedAt;
  if (answer.kind === "refused") return { kind: statusName(answer.code), answer, durationMs };
  const wrong = problemOf(answer.chain, caller);
  return { kind: "issued", answer, durationMs, ...(wrong !== undefined && { wrong }) };
}

/** Why this chain is not a certificate for this caller alone under the roots that came with it; undefined when it is. */
export function problemOf(
  chain: readonly string[],
  { spiffeId, publicKey }: Pick<Caller, "spiffeId" | "publicKey">,
): string | undefined {
  const [leafPem, ...others] = chain;
  const rootsPem = others.pop();
  if (leafPem === undefined || rootsPem === undefined) return `${chain.length} elements in the answer`;
  const leaf = new X509Certificate(leafPem);
  if (leaf.subjectAltName !== `URI:${spiffeId}`) return `names ${leaf.subjectAltName} for ${spiffeId}`;
  if (leaf.subject !== undefined && /CN=/.test(leaf.subject)) return `subject ${leaf.subject}`;
  if (!leaf.publicKey.equals(publicKey)) return "another key";
  if (leaf.ca) return "a CA certificate";
  if (Date.parse(leaf.validTo) < Date.now() || Date.parse(leaf.validFrom) > Date.now() + 60_000) return "not valid now";
  const roots = certificatesOf(rootsPem);
  let below = leaf;
  for (const above of others.flatMap(certificatesOf)) {
    if (!isIssuedBy(below, above)) return `${below.subject} is not issued by ${above.subject}`;
    below = above;
  }
  return roots.some((root) => isIssuedBy(below, root)) ? undefined : "leads to no root of the answer";
}

/** The roots that came with an answer. */
export function rootsOf(chain: readonly string[]): readonly X509Certificate[] {
  return certificatesOf(chain.at(-1) ?? "");
}

function certificatesOf(pem: string): readonly X509Certificate[] {
  return parsePem(pem, "CERTIFICATE").map((one) => new X509Certificate(one));
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
