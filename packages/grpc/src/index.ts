export {
  type BoundMethod,
  bindService,
  onlyRequest,
  type ServiceBinding,
  type ServiceHandlers,
} from "./bind-service.ts";
export type { StreamCallOptions, UnaryCallOptions } from "./call.ts";
export type { CallContext, Peer, StreamHandler, UnaryHandler } from "./call-context.ts";
export type {
  CallErrorEvent,
  CallEvent,
  CalledMethod,
  CallMessageEvent,
  CallObserver,
  CallStartEvent,
  CallType,
} from "./call-observer.ts";
export type { ClientTls } from "./channel-credentials.ts";
export { type Channel, type ConnectOptions, connect } from "./connect.ts";
export { GrpcError, type GrpcErrorCode } from "./errors.ts";
export { createHealthState, type HealthState } from "./health.ts";
export type { BoundAddress, ListenAddress } from "./listen.ts";
export { type MetadataInit, metadataFrom, type ReadonlyMetadata } from "./metadata.ts";
export { type GrpcListener, type ServeOptions, serve } from "./serve.ts";
export {
  plaintextCredentials,
  type ServerCredentials,
  type ServingCertificate,
  tlsServerCredentials,
} from "./server-credentials.ts";
export { maxSocketPathBytes } from "./socket-file.ts";
export { Status, StatusError, type StatusErrorOptions, type StatusName, statusName } from "./status.ts";
