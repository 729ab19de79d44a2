import type { AuthorizationRequest, JsonObject, RequestHeaders } from "../authorization-request.ts";
import { toOctets } from "../match/octets.ts";
import type { CompileContext } from "./attribute.ts";

/** How a request can be given another value of an attribute. */
export type AttributeEdit = {
  /** What is changed; attributes that look at the same thing of a request have the same. */
  readonly target: string;
  /** Values that one of a condition's values may match. */
  readonly like: (values: readonly string[], context: CompileContext) => readonly unknown[];
  /** Values that are like nothing in particular; undefined is absence. */
  readonly unlike: readonly unknown[];
  readonly apply: (request: AuthorizationRequest, value: unknown) => AuthorizationRequest;
};

type TextField = "peerPrincipal" | "sni" | "directRemoteIp" | "remoteIp" | "destinationIp";

/** Sets a field of a connection. */
export function connectionEdit(
  field: TextField | "destinationPort",
  rest: Pick<AttributeEdit, "like" | "unlike">,
): AttributeEdit {
  return {
    ...rest,
    target: field,
    apply: (request, value) => {
      const { [field]: _, ...others } = request;
      return (value === undefined ? others : { ...others, [field]: value }) as AuthorizationRequest;
    },
  };
}

/** Sets a field of HTTP; nothing that a TCP connection could be given. */
export function httpEdit(
  field: "path" | "host" | "method" | "scheme",
  rest: Pick<AttributeEdit, "like" | "unlike">,
): AttributeEdit {
  return {
    ...rest,
    target: field,
    apply: (request, value) => {
      if (request.kind !== "http") return request;
      const { [field]: _, ...others } = request;
      return (value === undefined ? others : { ...others, [field]: value }) as AuthorizationRequest;
    },
  };
}

export function headerEdit(name: string): AttributeEdit {
  return {
    target: `header ${name}`,
    like: (values) => values.map((value) => fillStars(toOctets(value), "x")),
    unlike: [undefined, "x", "signet-other"],
    apply: (request, value) => {
      if (request.kind !== "http") return request;
      const { headers } = request;
      const changed: RequestHeaders = {
        get: (asked) => (asked === name ? (value as string | undefined) : headers.get(asked)),
      };
      return { ...request, headers: changed };
    },
  };
}

/** Sets a claim, through objects that are made where there are none. */
export function claimEdit(path: readonly string[]): AttributeEdit {
  return {
    target: `claim ${path.join(".")}`,
    like: (values) => values.map((value) => fillStars(value.toWellFormed(), "x")),
    unlike: [undefined, "x", "signet-other"],
    apply: (request, value) =>
      request.kind === "http" ? { ...request, jwtPayload: withValue(request.jwtPayload ?? {}, path, value) } : request,
  };
}

export function metadataEdit(filter: string, key: string): AttributeEdit {
  return {
    target: `metadata ${filter} ${key}`,
    like: (values) =>
      values.map((value) =>
        value.startsWith("[") && value.endsWith("]") ? [fillStars(value.slice(1, -1), "x")] : fillStars(value, "x"),
      ),
    unlike: [undefined, "x", "signet-other"],
    apply: (request, value) => ({
      ...request,
      filterMetadata: withValue(request.filterMetadata ?? {}, [filter, key], value),
    }),
  };
}

/** A text that a value with a star at its start or its end matches. */
export function fillStars(value: string, filler: string): string {
  if (value === "*") return filler;
  if (value.startsWith("*")) return `${filler}${value.slice(1)}`;
  return value.endsWith("*") ? value.slice(0, -1) : value;
}

export function withValue(object: JsonObject, [name = "", ...rest]: readonly string[], value: unknown): JsonObject {
  const { [name]: current, ...others } = object;
  if (rest.length === 0) return value === undefined ? others : own(others, name, value);
  const inner = typeof current === "object" && current !== null && !Array.isArray(current) ? current : {};
  return own(others, name, withValue(inner as JsonObject, rest, value));
}

/** An own property whatever its name is, `__proto__` too. */
function own(object: JsonObject, name: string, value: unknown): JsonObject {
  const copy = { ...object };
  Object.defineProperty(copy, name, { value, enumerable: true, configurable: true, writable: true });
  return copy;
}
