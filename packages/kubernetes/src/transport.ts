/** Carries requests to one API server; the seam between what we say and the sockets it is said over. */
export interface Transport {
  /** The URL of the API server. */
  readonly server: string;
  /**
   * Sends a request and resolves with the head of the answer, whatever its status. `signal` ends both the waiting and the body.
   * Rejects with `KubernetesError` `unavailable` or `config-invalid`, or with the reason of `signal`.
   */
  send(request: TransportRequest, signal: AbortSignal): Promise<TransportAnswer>;
  /** Idle connections may be dead: later requests go over new ones. */
  distrustIdle(): void;
  /** Cuts all connections, for good. */
  close(): void;
}

/** A request; who asks is the transport's affair. */
export type TransportRequest = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query; begins with "/". */
  readonly path: string;
  readonly body?: { readonly contentType: string; readonly text: string };
  /** Whether it changes nothing, so that it may be sent again over a new connection when an idle one turns out to be closed. */
  readonly repeatable: boolean;
  /** Whether the answer lasts: it gets a connection that no call waits for. */
  readonly stream?: boolean;
};

/** The head of an answer, and its body while it comes in. */
export type TransportAnswer = {
  readonly status: number;
  /** A header, by its name in lower case. */
  header(name: string): string | undefined;
  /** Rejects with `KubernetesError` `unavailable` when the connection breaks before the end. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the connection without reading the body. */
  discard(): void;
};

/** What every request accepts: API servers send their keys as nothing but the second. */
export const acceptedTypes = "application/json, application/jwk-set+json";
