import { isUtf8 } from "node:buffer";
import type { RequestAuthenticationResult } from "@signet/request-auth";

/** What becomes of one request, in the form that `signet jwt verify --json` prints; null for what there is not. */
export type VerifyResult = {
  /** 200 for a request that is let through. */
  readonly status: number;
  /** Of the answer to one that is refused. */
  readonly body: string | null;
  /** `<iss>/<sub>`. */
  readonly requestPrincipal: string | null;
  /** Headers that are added on the way upstream, by name; a list where one is added more than once. `:path` is the path, where it changes. */
  readonly upstreamHeaders: Readonly<Record<string, string | readonly string[]>> | null;
  /** Headers of the request that do not go upstream, in lower case. */
  readonly removedHeaders: readonly string[] | null;
  /** The claims as policies see them. */
  readonly payload: Readonly<Record<string, unknown>> | null;
  /** Why it is refused. */
  readonly code: string | null;
};

/** Returns the printed form of a result. */
export function verifyResultOf(result: RequestAuthenticationResult): VerifyResult {
  if (result.kind === "rejected") {
    const { status, body, code } = result;
    const nothing = { requestPrincipal: null, upstreamHeaders: null, removedHeaders: null, payload: null };
    return { status, body, ...nothing, code };
  }
  const { upstream } = result;
  const authenticated = result.kind === "authenticated" ? result : undefined;
  const path = upstream.path === undefined ? [] : [[":path", upstream.path] as const];
  return {
    status: 200,
    body: null,
    requestPrincipal: authenticated?.principal ?? null,
    upstreamHeaders: headersByName([...upstream.add, ...path]),
    removedHeaders: upstream.remove,
    payload: authenticated?.payload ?? null,
    code: null,
  };
}

function headersByName(headers: readonly (readonly [string, string])[]): Record<string, string | readonly string[]> {
  const groups = Map.groupBy(headers, ([name]) => name);
  return Object.fromEntries(
    [...groups].map(([name, pairs]) => {
      const values = pairs.map(([, value]) => textOf(value));
      const [only, second] = values;
      return [name, only !== undefined && second === undefined ? only : values];
    }),
  );
}

/** The text of octets that are UTF-8; others stay one character each. */
export function textOf(octets: string): string {
  const buffer = Buffer.from(octets, "latin1");
  return isUtf8(buffer) ? buffer.toString("utf8") : octets;
}
