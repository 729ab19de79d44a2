import type { AttributedRequest } from "@signet/authorizer";

/** What is known of a request that somebody describes; text as people write it. */
export type RequestSketch = {
  readonly method?: string;
  readonly scheme?: string;
  readonly host?: string;
  /** With its query. */
  readonly path?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** With `spiffe://` or without. */
  readonly principal?: string;
  readonly sourceIp?: string;
  /** Where it is another one than that of the peer. */
  readonly remoteIp?: string;
  readonly destinationIp?: string;
  readonly port?: number;
  readonly sni?: string;
  readonly tcp?: boolean;
};

/** Returns a request with what `sketch` knows in place of what it says; headers of the sketch replace those of their name. */
export function applySketch(request: AttributedRequest, sketch: RequestSketch): AttributedRequest {
  const { method, scheme, host, path, sni, port } = sketch;
  const forwarded = sketch.remoteIp === undefined ? [] : [["x-forwarded-for", sketch.remoteIp] as const];
  const added = [...(sketch.headers ?? []), ...forwarded].map(
    ([name, value]) => [octets(name), octets(value)] as const,
  );
  const replaced = new Set(added.map(([name]) => name.toLowerCase()));
  const principal = sketch.principal === undefined ? undefined : withScheme(sketch.principal);
  const { tcp: _, ...rest } = request;
  return {
    ...(sketch.tcp === false ? rest : request),
    ...(sketch.tcp === true && { tcp: true as const }),
    ...(method !== undefined && { method: octets(method) }),
    ...(scheme !== undefined && { scheme: octets(scheme) }),
    ...(host !== undefined && { host: octets(host) }),
    ...(path !== undefined && { path: octets(path) }),
    ...(sni !== undefined && { sni: octets(sni) }),
    headers: [...request.headers.filter(([name]) => !replaced.has(name.toLowerCase())), ...added],
    source: {
      ...request.source,
      ...(principal !== undefined && { principal }),
      ...(sketch.sourceIp !== undefined && { address: sketch.sourceIp }),
    },
    destination: {
      ...request.destination,
      ...(sketch.destinationIp !== undefined && { address: sketch.destinationIp }),
      ...(port !== undefined && { port }),
    },
  };
}

/** A request of which nothing is known. */
export const emptyRequest: AttributedRequest = {
  method: "GET",
  scheme: "http",
  host: "",
  path: "/",
  headers: [],
  source: {},
  destination: {},
  filterMetadata: {},
  contextExtensions: new Map(),
};

function withScheme(principal: string): string {
  return octets(principal.includes("://") ? principal : `spiffe://${principal}`);
}

/** One character for each octet of its UTF-8, as requests are held. */
function octets(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
