import type { IncomingMessage } from "node:http";
import { connect } from "@signet/grpc";
import { Authorization, type CheckResponse } from "@signet/protos/envoy/service/auth/v3/external_auth";

/** Whether a request may pass, and with what it is refused otherwise. */
export type PolicyAnswer =
  | { readonly kind: "allowed" }
  | { readonly kind: "refused"; readonly status: number; readonly body: string };

/** Asks `signet authz` about requests, as Envoy's ext_authz does. */
export interface PolicyClient {
  /** `principal` is the peer's SPIFFE ID. Never rejects: where nobody answers, the request is refused. */
  ask(request: IncomingMessage, principal: string): Promise<PolicyAnswer>;
  close(): void;
}

const deadlineMs = 2_000;

/** Returns a client of the server on this socket. */
export function connectAuthorizationServer(socketPath: string): PolicyClient {
  const channel = connect({ address: `unix:${socketPath}` });
  return {
    async ask(request, principal) {
      try {
        const attributes = {
          source: { principal },
          request: { http: { ...operationOf(request), scheme: "https", headers: headersOf(request) } },
        };
        const options = { deadlineMs, signal: AbortSignal.timeout(deadlineMs) };
        return answerOf(await channel.unary(Authorization.method.check, { attributes }, options));
      } catch {
        return { kind: "refused", status: 403, body: "" };
      }
    },
    close: () => channel.close(),
  };
}

function operationOf({ method = "", url = "", headers }: IncomingMessage): Readonly<Record<string, string>> {
  return { method, path: url, host: headers.host ?? "" };
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(", ")]));
}

function answerOf({ status, httpResponse }: CheckResponse): PolicyAnswer {
  if (status?.code === 0) return { kind: "allowed" };
  const denied = httpResponse.case === "deniedResponse" ? httpResponse.value : undefined;
  return { kind: "refused", status: denied?.status?.code ?? 403, body: denied?.body ?? "" };
}
