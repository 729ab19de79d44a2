import type { PresentedCredentials } from "@signet/ca";
import type { CallContext } from "@signet/grpc";

const bearerPrefix = "Bearer ";

/**
 * What the peer of a call showed of itself, as istiod reads it.
 *
 * The token is the first `authorization` value that starts exactly with `Bearer ` (case counts). The cluster ID is the
 * `clusterid` header when there is exactly one: missing or repeated, it says nothing. All values of
 * `x-forwarded-client-cert` are one list, in which the peer's own element is the last.
 */
export function readPresentedCredentials(context: CallContext): PresentedCredentials {
  const { metadata, peer } = context;
  const bearer = metadata.get("authorization").find((value) => value.startsWith(bearerPrefix));
  const [clusterId, ...others] = metadata.get("clusterid");
  const forwarded = metadata.get("x-forwarded-client-cert");
  return {
    ...(bearer !== undefined && { bearerToken: bearer.slice(bearerPrefix.length) }),
    ...(peer.certificateChain !== undefined && { clientCertificateChain: peer.certificateChain }),
    ...(peer.certificateProblem !== undefined && { clientCertificateProblem: peer.certificateProblem }),
    ...(forwarded.length > 0 && { forwardedClientCert: forwarded.join(",") }),
    ...(clusterId !== undefined && clusterId !== "" && others.length === 0 && { clusterId }),
    peerAddress: peer.address,
    transport: peer.transport,
  };
}
