import { parseSpiffeId } from "@signet/spiffe";

/** The part of a TLS socket that says who the client is. */
export type TlsPeer = {
  readonly authorized?: boolean;
  getPeerCertificate?(): { readonly subjectaltname?: string | undefined } | null;
};

/**
 * The SPIFFE ID of a client certificate that the TLS server has verified, or undefined.
 *
 * It is the one URI among the certificate's names (X.509-SVID section 2); with two of them, or with a name that Node had to
 * quote, because it could be mistaken for several, the peer is nobody.
 */
export function peerPrincipal(socket: TlsPeer): string | undefined {
  if (socket.authorized !== true) return undefined;
  const names = socket.getPeerCertificate?.()?.subjectaltname ?? "";
  if (names.includes('"')) return undefined;
  const uris = names.split(", ").filter((name) => name.startsWith("URI:"));
  const [uri] = uris;
  return uri === undefined || uris.length > 1 ? undefined : spiffeId(uri.slice("URI:".length));
}

function spiffeId(text: string): string | undefined {
  try {
    return parseSpiffeId(text);
  } catch {
    return undefined;
  }
}
