import type { Source } from "@signet/runtime";

/** What a server shows when a connection is made. */
export type ServingCertificate = { readonly certificateChainPem: string; readonly privateKeyPem: string };

/** How a listener secures its connections; made by `plaintextCredentials` or `tlsServerCredentials`. */
export type ServerCredentials =
  | { readonly kind: "plaintext" }
  | { readonly kind: "tls"; readonly serving: Source<ServingCertificate>; readonly clientCa: Source<string> };

/**
 * Credentials without TLS, for Unix sockets.
 * @example
 * ```ts
 * import { plaintextCredentials, serve } from "@signet/grpc";
 * const listener = await serve({
 *   listen: { socketPath: "/tmp/signet-example.sock", mode: 0o600 },
 *   credentials: plaintextCredentials(),
 *   services: [],
 * });
 * await listener.drain(0);
 * ```
 */
export function plaintextCredentials(): ServerCredentials {
  return { kind: "plaintext" };
}

/**
 * TLS 1.2 or later with HTTP/2 by ALPN. A client certificate is requested and never required; one that is expired,
 * untrusted or otherwise not verifiable against `clientCa` counts as none, so that such a client can still present a token.
 *
 * Both sources are read for every new connection, so a change needs no restart and leaves open connections alone. While
 * `serving` has no value, connections are closed at once; a value of either that cannot be used leaves the last good one in
 * use and is reported to `onConnectionError`. Without a client CA no client certificate is accepted. Sessions are never resumed, since a resumed one carries
 * the verdict of an older client CA bundle.
 * @example
 * ```ts
 * import { tlsServerCredentials } from "@signet/grpc";
 * import { createSource } from "@signet/runtime";
 * const serving = createSource<{ certificateChainPem: string; privateKeyPem: string }>();
 * const clientCa = createSource<string>();
 * tlsServerCredentials({ serving, clientCa });
 * ```
 */
export function tlsServerCredentials(options: {
  readonly serving: Source<ServingCertificate>;
  /** PEM of every authority that may have signed a client certificate. */
  readonly clientCa: Source<string>;
}): ServerCredentials {
  return { kind: "tls", serving: options.serving, clientCa: options.clientCa };
}
