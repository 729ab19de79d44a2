import type { Gateway } from "./gateway.ts";
import { reportFailure } from "./gateway-events.ts";
import type { GatewayRequest, HeaderChanges } from "./gateway-request.ts";
import { forwardedScheme, readConnection } from "./node-request.ts";
import { grpcCodeOf, type Refusal, unavailable } from "./refusal.ts";

/** Metadata of grpc-js, as far as it matters here. */
export type GrpcMetadata = {
  getMap(): { readonly [name: string]: unknown };
  get(name: string): readonly (string | Buffer)[];
  add(name: string, value: string | Buffer): void;
  remove(name: string): void;
};

/** A call that has come in, as interceptors of grpc-js have it, as far as it matters here. */
export type GrpcCall = {
  getHost(): string;
  getConnectionInfo(): GrpcConnection;
  getAuthContext(): {
    readonly transportSecurityType?: string;
    readonly sslPeerCertificate?: { readonly subjectaltname?: string | undefined };
  };
  sendStatus(status: { readonly code: number; readonly details: string }): void;
};

type GrpcConnection = {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
};

type GrpcListener<Metadata> = {
  onReceiveMetadata(metadata: Metadata, next: (metadata: Metadata) => void): void;
  onCancel(): void;
};

/** The part of grpc-js that an interceptor is made with: `import * as grpc from "@grpc/grpc-js"`. */
export type GrpcLibrary<Call, Metadata, Intercepting> = {
  readonly ServerInterceptingCall: new (
    call: Call,
    responder: { start(next: (listener?: GrpcListener<Metadata>) => void): void },
  ) => Intercepting;
};

/**
 * A server interceptor for grpc-js (version 1) that lets calls through, and ends all others with status `UNAUTHENTICATED`,
 * `PERMISSION_DENIED` or `UNAVAILABLE`, before a message is read.
 *
 * Handlers have `gateway.authOf(call.metadata)`, which throws where nothing guards. Of repeated `authorization` headers grpc-js
 * keeps the first and shows it to everybody; other repeated ones it joins with a comma.
 * @example
 * ```ts
 * import * as grpc from "@grpc/grpc-js";
 * import type { Gateway } from "@signet/gateway";
 * import { grpcInterceptor } from "@signet/gateway/grpc-js";
 * declare const gateway: Gateway;
 * const server = new grpc.Server({ interceptors: [grpcInterceptor(gateway, grpc)] });
 * ```
 */
export function grpcInterceptor<Claims, Call extends GrpcCall, Metadata extends GrpcMetadata, Intercepting>(
  gateway: Gateway<Claims>,
  grpc: GrpcLibrary<Call, Metadata, Intercepting>,
): (method: { readonly path: string }, call: Call) => Intercepting {
  return ({ path }, call) =>
    new grpc.ServerInterceptingCall(call, {
      start(next) {
        const gone = new AbortController();
        next({
          onReceiveMetadata(metadata, proceed) {
            admitCall(gateway, { path, call, metadata }, gone.signal).then((refusal) => {
              if (refusal === undefined) queueMicrotask(() => proceed(metadata));
              else if (refusal !== "gone") call.sendStatus({ code: grpcCodeOf(refusal), details: refusal.body });
            }, ignore);
          },
          onCancel: () => gone.abort(),
        });
      },
    });
}

/** `admitCall` never rejects; and nothing is let through if it does. */
function ignore(): void {}

type IncomingCall = { readonly path: string; readonly call: GrpcCall; readonly metadata: GrpcMetadata };

/** Why a call must not go on, or undefined when it may and `metadata` is what its handler is meant to see. */
async function admitCall<Claims>(
  gateway: Gateway<Claims>,
  incoming: IncomingCall,
  signal: AbortSignal,
): Promise<Refusal | "gone" | undefined> {
  const { metadata } = incoming;
  try {
    const admission = await gateway.admit(readCall(incoming, gateway.trustedHops), signal);
    if (admission.kind === "refused") return admission.refusal;
    changeMetadata(metadata, admission.upstream);
    gateway.keep(metadata, admission.auth);
    return undefined;
  } catch (error) {
    if (signal.aborted) return "gone";
    reportFailure(gateway.events, { what: "authenticator", error });
    return unavailable;
  }
}

function readCall({ path, call, metadata }: IncomingCall, trustedHops: number): GatewayRequest {
  const names = Object.keys(metadata.getMap());
  const headers = names.flatMap((name) =>
    metadata.get(name).map((value): [string, string] => [name, typeof value === "string" ? value : base64(value)]),
  );
  const { transportSecurityType, sslPeerCertificate } = call.getAuthContext();
  const { encrypted, ...connection } = readConnection({
    ...call.getConnectionInfo(),
    encrypted: transportSecurityType === "ssl",
    // grpc-js shows a certificate only when it has been verified.
    authorized: sslPeerCertificate !== undefined,
    getPeerCertificate: () => sslPeerCertificate ?? null,
  });
  return {
    method: "POST",
    scheme: forwardedScheme(headers, trustedHops) ?? (encrypted ? "https" : "http"),
    host: call.getHost(),
    path,
    headers,
    routed: true,
    ...connection,
  };
}

function base64(octets: Buffer): string {
  return octets.toString("base64");
}

function changeMetadata(metadata: GrpcMetadata, { remove, add }: HeaderChanges): void {
  for (const name of remove) metadata.remove(name);
  for (const [name, value] of add) {
    if (name.endsWith("-bin")) metadata.add(name, Buffer.from(value, "latin1"));
    // gRPC has no other text than printable ASCII: a claim that is something else cannot be handed on.
    else if (isPrintable(value)) metadata.add(name, value);
  }
}

function isPrintable(text: string): boolean {
  for (const character of text) if (character < " " || character > "~") return false;
  return true;
}
