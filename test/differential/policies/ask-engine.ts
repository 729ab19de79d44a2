import {
  type AuthorizationRequest,
  type ConnectionAttributes,
  type Decision,
  decide,
  requestHeaders,
  type WorkloadPolicies,
} from "@signet/policy";
import { authenticateRequest, compileJwtRules, type RequestAuthenticationResult } from "@signet/request-auth";
import { requestOctets } from "./ask-envoy.ts";
import type { Sketch } from "./sketch.ts";
import { jwtRules, tokenOf } from "./tokens.ts";

/** What the engine makes of a request: of its token, and then of the rest. */
export type EngineAnswer =
  | { readonly kind: "rejected"; readonly rejection: Extract<RequestAuthenticationResult, { kind: "rejected" }> }
  | { readonly kind: "decided"; readonly decision: Decision };

const rules = compileJwtRules(jwtRules);

/** Puts a sketch to request authentication and to the policies. */
export async function askEngine(policies: WorkloadPolicies, sketch: Sketch): Promise<EngineAnswer> {
  const { method, path, host } = sketch;
  const headers = sentHeaders(sketch);
  const result = await authenticateRequest(
    rules,
    { method, scheme: "http", host, path, headers },
    {
      keysOf: async () => ({ kind: "unavailable", detail: "all keys are in the rules" }),
      clock: { now: () => new Date() },
    },
    AbortSignal.timeout(30_000),
  );
  if (result.kind === "rejected") return { kind: "rejected", rejection: result };
  const taken = result.upstream.remove;
  const request: AuthorizationRequest = {
    kind: "http",
    ...connectionOf(sketch),
    remoteIp: remoteIp(sketch),
    method,
    scheme: schemeOf(sketch),
    path,
    host,
    headers: requestHeaders(headers.filter(([name]) => !taken.includes(name.toLowerCase()))),
    ...(result.kind === "authenticated" ? { jwtPayload: result.payload } : {}),
  };
  return { kind: "decided", decision: decide(policies, request) };
}

/** Puts the connection of a sketch to the policies. */
export function decideConnection(policies: WorkloadPolicies, sketch: Sketch): Decision {
  return decide(policies, { kind: "tcp", ...connectionOf(sketch) });
}

function connectionOf(sketch: Sketch): ConnectionAttributes {
  const { transport, peer, sni, directIp, proxiedIp, destinationIp, destinationPort } = sketch;
  return {
    ...(transport === "tls" && peer !== undefined ? { peerPrincipal: peer } : {}),
    ...(transport === "tls" && sni !== undefined ? { sni } : {}),
    directRemoteIp: directIp,
    remoteIp: proxiedIp,
    destinationIp,
    destinationPort,
  };
}

/** As a proxy before ours has it, if it has: see `x-forwarded-proto` in Envoy's documentation. */
function schemeOf({ transport, headers }: Sketch): string {
  const forwarded = headers.filter(([name]) => name.toLowerCase() === "x-forwarded-proto").map(([, value]) => value);
  const [only = ""] = forwarded;
  const known = forwarded.length === 1 && /^https?$/i.test(only);
  return known ? only.toLowerCase() : transport === "tls" ? "https" : "http";
}

/** The last address of X-Forwarded-For, which Envoy trusts when it is told to: see `use_remote_address`. */
function remoteIp({ forwardedFor, proxiedIp }: Sketch): string {
  return forwardedFor?.split(",").at(-1)?.trim() ?? proxiedIp;
}

/** What is sent, and what Envoy's connection manager adds before any filter sees the request. */
function sentHeaders(sketch: Sketch): readonly (readonly [string, string])[] {
  const { headers, forwardedFor, claims, transport } = sketch;
  const forwardedProto = headers.some(([name]) => name.toLowerCase() === "x-forwarded-proto");
  return [
    ...(forwardedFor === undefined ? [] : [["x-forwarded-for", forwardedFor] as const]),
    ...(claims === undefined ? [] : [["x-jwt", tokenOf(claims)] as const]),
    ...headers,
    ...(forwardedProto ? [] : [["x-forwarded-proto", transport === "tls" ? "https" : "http"] as const]),
  ];
}

/** What was asked, as octets, for people. */
export function describeSketch(sketch: Sketch): string {
  const { transport, peer, sni, directIp, proxiedIp, destinationIp, destinationPort, claims } = sketch;
  const connection = JSON.stringify({
    transport,
    peer,
    sni,
    directIp,
    proxiedIp,
    destinationIp,
    destinationPort,
    claims,
  });
  return `${connection} ${JSON.stringify(requestOctets({ ...sketch, claims: undefined as never }).toString("latin1"))}`;
}
