import type { X509SVIDResponse } from "@signet/protos/spiffe/workload/workload";
import { errorMessage } from "@signet/runtime";
import { parseSpiffeId, parseTrustDomain, type TrustDomain, trustDomainOf } from "@signet/spiffe";
import {
  encodePem,
  parseCertificate,
  parsePrivateKey,
  parseTrustBundle,
  spiffeIdOf,
  type TrustBundle,
  type X509Svid,
} from "@signet/x509";
import { TlsError } from "./errors.ts";

/** What a program shows its peers, and what it believes them by. */
export type WorkloadSvid = {
  readonly svid: X509Svid;
  /** By trust domain: a root of one never vouches for a name of another. */
  readonly trustBundles: ReadonlyMap<TrustDomain, TrustBundle>;
};

/**
 * Returns what the Workload API said, its first SVID, which the standard makes the default one.
 * @throws TlsError `response-malformed`
 */
export function parseX509SvidResponse(response: X509SVIDResponse): WorkloadSvid {
  const [first] = response.svids;
  if (first === undefined) throw malformed("there is no SVID in the answer");
  try {
    const key = parsePrivateKey(encodePem("PRIVATE KEY", first.x509SvidKey));
    const [leaf, ...rest] = splitDer(first.x509Svid).map((der) => parseCertificate(der));
    if (leaf === undefined) throw malformed("there is no certificate in the answer");
    const spiffeId = spiffeIdOf(leaf);
    if (spiffeId !== parseSpiffeId(first.spiffeId)) throw malformed("the certificate is for another SPIFFE ID");
    if (!leaf.publicKey.equals(key.publicKey)) throw malformed("the key is that of another certificate");
    const federated = Object.entries(response.federatedBundles).map(([id, der]) => {
      const trustDomain = parseTrustDomain(id.replace(/^spiffe:\/\//, ""));
      return [trustDomain, bundleOf(der)] as const;
    });
    const own = [trustDomainOf(spiffeId), bundleOf(first.bundle)] as const;
    // Last, so that nothing federated stands in the place of the workload's own.
    return { svid: { spiffeId, chain: [leaf, ...rest], key }, trustBundles: new Map([...federated, own]) };
  } catch (error) {
    if (error instanceof TlsError) throw error;
    throw malformed(errorMessage(error), error);
  }
}

function bundleOf(der: Uint8Array): TrustBundle {
  return parseTrustBundle(
    splitDer(der)
      .map((certificate) => encodePem("CERTIFICATE", certificate))
      .join(""),
  );
}

/** Certificates that stand one after the other: each says its length itself (X.690 section 8.1). */
function splitDer(bytes: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + elementLength(bytes, at);
    if (end > bytes.length) throw malformed("a certificate in the answer is cut off");
    parts.push(bytes.slice(at, end));
    at = end;
  }
  return parts;
}

const sequence = 0x30;

function elementLength(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== sequence) throw malformed("there is something else than certificates in the answer");
  const first = bytes[at + 1] ?? 0x80;
  if (first < 0x80) return 2 + first;
  const count = first & 0x7f;
  if (count < 1 || count > 3) throw malformed("a certificate in the answer has no length, or a very large one");
  let length = 0;
  for (const octet of bytes.subarray(at + 2, at + 2 + count)) length = length * 256 + octet;
  return 2 + count + length;
}

function malformed(message: string, cause?: unknown): TlsError {
  return new TlsError("response-malformed", message, cause === undefined ? {} : { cause });
}
