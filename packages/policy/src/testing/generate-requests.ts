import {
  type AuthorizationRequest,
  type ConnectionAttributes,
  type JsonObject,
  requestHeaders,
} from "../authorization-request.ts";
import { SeededRandom } from "./random.ts";
import { requestValues } from "./vocabulary.ts";

/** Returns requests near what `generatePolicies` asks for, the same for the same seed. One in eight is a TCP connection. */
export function generateRequests(seed: number, count: number): readonly AuthorizationRequest[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => generateRequest(random));
}

function generateRequest(random: SeededRandom): AuthorizationRequest {
  const maybe = <Name extends string, T>(name: Name, values: readonly T[]): Partial<Record<Name, T>> =>
    random.chance(0.75) ? ({ [name]: random.pick(values) } as Record<Name, T>) : {};
  const connection: ConnectionAttributes = {
    ...maybe("peerPrincipal", requestValues.peerPrincipal),
    ...maybe("directRemoteIp", requestValues.ip),
    ...maybe("remoteIp", requestValues.ip),
    ...maybe("destinationIp", requestValues.ip),
    ...maybe("destinationPort", requestValues.port),
    ...maybe("sni", requestValues.sni),
    filterMetadata: {
      "envoy.filters.http.foo": { ...maybe("k", requestValues.claim) },
      "envoy.filters.network.bar": { ...maybe("l", requestValues.claim) },
    },
  };
  if (random.chance(0.125)) return { kind: "tcp", ...connection };
  const headers: (readonly [string, string])[] = [];
  for (const name of ["X-Team", "x-team", "x-empty"]) {
    if (random.chance(0.5)) headers.push([name, random.pick(requestValues.word)]);
  }
  return {
    kind: "http",
    ...connection,
    method: random.pick(requestValues.method),
    ...maybe("path", requestValues.path),
    ...maybe("host", requestValues.host),
    headers: requestHeaders(headers),
    ...(random.chance(0.7) && { jwtPayload: generatePayload(random) }),
  };
}

function generatePayload(random: SeededRandom): JsonObject {
  const payload: Record<string, unknown> = {};
  if (random.chance(0.8)) payload.iss = random.pick(requestValues.issuer);
  if (random.chance(0.8)) payload.sub = random.pick(requestValues.subject);
  for (const name of ["aud", "azp", "groups", "a.b/c", "[x]"]) {
    if (random.chance(0.6)) payload[name] = random.pick(requestValues.claim);
  }
  if (random.chance(0.5)) payload.realm = { roles: random.pick(requestValues.claim) };
  return payload;
}
