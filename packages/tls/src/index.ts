export { allowSpiffeIds, allowTrustDomains, type PeerAuthorizer } from "./authorize-peer.ts";
export {
  type ClientOptions,
  type ClientOptionsOf,
  clientOptions,
  http2Connection,
  httpsAgent,
  type UndiciConnector,
  undiciConnector,
} from "./connect-tls.ts";
export { TlsError, type TlsErrorCode } from "./errors.ts";
export { type GrpcCertificateProvider, grpcCertificates, grpcVerifyOptions } from "./grpc-certificates.ts";
export { type GuardOptions, guardServer, peerOf, serverOptions } from "./serve-tls.ts";
export { followSvid, type SvidSource, type SvidSourceOptions } from "./svid-source.ts";
export type { WorkloadSvid } from "./workload-svid.ts";
