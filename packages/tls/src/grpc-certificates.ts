import type { Source } from "@signet/runtime";
import type { PeerAuthorizer } from "./authorize-peer.ts";
import { type ServerCheck, serverCheck } from "./connect-tls.ts";
import { tlsMaterialOf } from "./secure-context.ts";
import type { WorkloadSvid } from "./workload-svid.ts";

type Listener<T> = (update: T | null) => void;
type CaUpdate = { readonly caCertificate: Buffer };
type IdentityUpdate = { readonly certificate: Buffer; readonly privateKey: Buffer };

/** What grpc-js calls a certificate provider: it is told of each new certificate and new roots. */
export interface GrpcCertificateProvider {
  addCaCertificateListener(listener: Listener<{ caCertificate: Buffer }>): void;
  removeCaCertificateListener(listener: Listener<{ caCertificate: Buffer }>): void;
  addIdentityCertificateListener(listener: Listener<{ certificate: Buffer; privateKey: Buffer }>): void;
  removeIdentityCertificateListener(listener: Listener<{ certificate: Buffer; privateKey: Buffer }>): void;
}

/**
 * Returns the certificate provider of grpc-js's experimental credentials, for servers and clients. It follows the identity until
 * `signal` aborts; calls under way live on, new connections use what is new.
 * @example
 * ```ts
 * import { parseTrustDomain } from "@signet/spiffe";
 * import { allowTrustDomains, grpcCertificates, grpcVerifyOptions, type SvidSource } from "@signet/tls";
 * export function partsOf({ identity }: SvidSource, signal: AbortSignal) {
 *   const provider = grpcCertificates(identity, signal);
 *   const verify = grpcVerifyOptions(identity, allowTrustDomains(parseTrustDomain("cluster.local")));
 *   return { provider, verify };
 *   // experimental.createCertificateProviderChannelCredentials(provider, provider, verify)
 * }
 * ```
 */
export function grpcCertificates(identity: Source<WorkloadSvid>, signal: AbortSignal): GrpcCertificateProvider {
  const caListeners = new Set<Listener<CaUpdate>>();
  const identityListeners = new Set<Listener<IdentityUpdate>>();
  let latest: { readonly ca: CaUpdate; readonly own: IdentityUpdate } | undefined;

  const follow = async (): Promise<void> => {
    for await (const next of identity.changes(signal)) {
      const { cert, key, ca } = tlsMaterialOf(next);
      latest = {
        ca: { caCertificate: Buffer.from(ca) },
        own: { certificate: Buffer.from(cert), privateKey: Buffer.from(key) },
      };
      for (const listener of caListeners) listener(latest.ca);
      for (const listener of identityListeners) listener(latest.own);
    }
  };
  follow().catch(() => undefined);

  return {
    addCaCertificateListener(listener) {
      caListeners.add(listener);
      later(() => caListeners.has(listener) && latest !== undefined && listener(latest.ca));
    },
    removeCaCertificateListener: (listener) => void caListeners.delete(listener),
    addIdentityCertificateListener(listener) {
      identityListeners.add(listener);
      later(() => identityListeners.has(listener) && latest !== undefined && listener(latest.own));
    },
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
  };
}

/** grpc-js begins to listen before it is ready to be told, so that what is said at once is lost. */
function later(tell: () => void): void {
  process.nextTick(tell);
}

/**
 * Returns how a client of grpc-js verifies the server: by its SPIFFE ID, whatever its name is.
 * @example
 * ```ts
 * import { parseSpiffeId } from "@signet/spiffe";
 * import { allowSpiffeIds, grpcVerifyOptions, type SvidSource } from "@signet/tls";
 * export function verifyOf({ identity }: SvidSource) {
 *   return grpcVerifyOptions(identity, allowSpiffeIds(parseSpiffeId("spiffe://cluster.local/ns/demo/sa/backend")));
 * }
 * ```
 */
export function grpcVerifyOptions(
  identity: Source<WorkloadSvid>,
  authorize: PeerAuthorizer,
): { readonly checkServerIdentity: ServerCheck } {
  return { checkServerIdentity: serverCheck(identity, authorize) };
}
