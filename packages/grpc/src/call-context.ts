import type { ReadonlyMetadata } from "./metadata.ts";

/** Who is at the other end of the connection. */
export interface Peer {
  /** `host:port`, an IPv6 host in brackets; `unix` on a Unix socket. */
  readonly address: string;
  readonly transport: "tls" | "plaintext" | "unix";
  /**
   * The client's certificate chain as it was sent, DER, leaf first. Present only if TLS verified the leaf against the
   * client CA bundle when the connection was made, and with it possession of the key; an expired or foreign one is absent.
   * Certificates after the leaf that the path did not need were not verified.
   */
  readonly certificateChain?: readonly Uint8Array[];
  /**
   * Why TLS did not accept the certificate that the client presented: OpenSSL's name for it, such as `CERT_HAS_EXPIRED` or
   * `UNABLE_TO_VERIFY_LEAF_SIGNATURE`. Absent when none was presented and when it was accepted.
   */
  readonly certificateProblem?: string;
}

/** What a handler knows about its call besides the request. */
export interface CallContext {
  /**
   * Aborts when the client cancels or goes away, when the deadline passes, and at shutdown: for streams as soon as draining
   * begins, for unary calls, which are short, only when the grace is over. The reason is a StatusError.
   */
  readonly signal: AbortSignal;
  readonly metadata: ReadonlyMetadata;
  readonly peer: Peer;
}

/** Answers one request with one response, or throws a StatusError. */
export type UnaryHandler<I, O> = (request: I, context: CallContext) => Promise<O>;

/**
 * Answers a stream of requests with a stream of responses; serves all three kinds of streaming methods.
 *
 * Nothing is read ahead: the next request is asked of the client when the handler asks for it, and a yield returns when the
 * response is on its way. Returning ends the call with OK, throwing with the status thrown. When `context.signal` aborts,
 * reading `requests` throws its reason, and after a cancellation so does the yield.
 */
export type StreamHandler<I, O> = (requests: AsyncIterable<I>, context: CallContext) => AsyncIterable<O>;
