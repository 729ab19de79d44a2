/** A request before it is sent, as somebody would describe it. Text is one character per octet. */
export type Sketch = {
  /** "tls" with or without a client's certificate. */
  readonly transport: "plaintext" | "tls";
  /** The URI in the client's certificate; absent for none. */
  readonly peer?: string;
  readonly sni?: string;
  /** Of the peer: one of this machine. */
  readonly directIp: string;
  /** What the PROXY protocol says of the client. */
  readonly proxiedIp: string;
  /** Value of X-Forwarded-For; absent for none. */
  readonly forwardedFor?: string;
  readonly destinationIp: string;
  readonly destinationPort: number;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Claims of the token that is sent; absent for none. */
  readonly claims?: Readonly<Record<string, unknown>>;
};

/** What has to be the same for two requests to come over one connection. */
export function connectionKey({
  transport,
  peer,
  sni,
  directIp,
  proxiedIp,
  destinationIp,
  destinationPort,
}: Sketch): string {
  return JSON.stringify([transport, peer, sni, directIp, proxiedIp, destinationIp, destinationPort]);
}
