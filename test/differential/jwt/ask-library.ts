import { authenticateRequest, type CompiledJwtRules, type RequestAuthenticationResult } from "@signet/request-auth";
import { host, indexed, type JwtOutcome } from "./ask-envoy.ts";
import type { JwtCase } from "./requests.ts";

/** What our library makes of a request at an instant, and what it would send on. */
export async function askLibrary(
  rules: CompiledJwtRules,
  asked: JwtCase,
  now: Date,
): Promise<{ readonly result: RequestAuthenticationResult; readonly outcome: JwtOutcome }> {
  const { method, path, headers } = asked;
  const result = await authenticateRequest(
    rules,
    { method, scheme: "http", host, path, headers },
    { keysOf: async () => ({ kind: "unavailable", detail: "all keys are in the rules" }), clock: { now: () => now } },
    AbortSignal.timeout(30_000),
  );
  if (result.kind === "rejected") {
    const { status, body, wwwAuthenticate } = result;
    return {
      result,
      outcome: { kind: "answered", status, body, ...(wwwAuthenticate === undefined ? {} : { wwwAuthenticate }) },
    };
  }
  const { remove, add, path: newPath = path } = result.upstream;
  const kept = headers.filter(([name]) => !remove.includes(name.toLowerCase()));
  return {
    result,
    outcome: {
      kind: "through",
      path: newPath,
      headers: indexed([...kept, ...add]),
      ...(result.kind === "authenticated" ? { payload: result.payload } : {}),
    },
  };
}
