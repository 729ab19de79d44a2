import type { HeaderList } from "./gateway-request.ts";

/** The answer to a request that must not go on. */
export type Refusal = {
  /** Why; closed, but for the codes that an authenticator gives. */
  readonly code: string;
  readonly status: number;
  readonly body: string;
  /** Beside `content-type` and `content-length`. */
  readonly headers: HeaderList;
  /** The policy that denied, `namespace/name`. */
  readonly policy?: string;
};

/** The content type of every refusal, as Envoy's own answers have it. */
export const refusalContentType = "text/plain";

/** A request that two readers could take for two different ones (RFC 9112 section 3.2). */
export const malformedRequest: Refusal = refusal("request-malformed", 400, "Bad Request");
/** A verified token whose claims are not what this application works with; 403 as for an audience that is not ours. */
export const claimsNotAllowed: Refusal = refusal("claims-not-allowed", 403, "Claims in Jwt are not allowed");
/** Nobody can tell now who the request is from: refused, never let through. */
export const unavailable: Refusal = refusal("authentication-unavailable", 503, "Request authentication is unavailable");
/** The same, for want of time. */
export const tooSlow: Refusal = refusal("deadline-exceeded", 503, unavailable.body);

function refusal(code: string, status: number, body: string): Refusal {
  return Object.freeze({ code, status, body, headers: [] });
}

/** A path that a router has taken for another than policies would. */
export const pathNotNormal: Refusal = refusal("path-not-normal", 400, malformedRequest.body);

/** All headers of the answer, those that describe its body included, also where the body itself is left out (HEAD). */
export function refusalHeaders({ headers, body }: Refusal): HeaderList {
  const described: HeaderList = [
    ["content-type", refusalContentType],
    ["content-length", String(Buffer.byteLength(body))],
  ];
  const own = headers.filter(([name]) => !described.some(([other]) => other === name.toLowerCase()));
  const type = headers.filter(([name]) => name.toLowerCase() === "content-type");
  return [...own, ...(type.length === 0 ? described : [...type, ...described.slice(1)])];
}

const invalidArgument = 3;
const permissionDenied = 7;
const unavailableCode = 14;
const unauthenticated = 16;

/** The gRPC status code of a refusal. */
export function grpcCodeOf({ status }: Refusal): number {
  if (status === 400) return invalidArgument;
  if (status === 401) return unauthenticated;
  return status >= 500 ? unavailableCode : permissionDenied;
}
