import { decide } from "@signet/policy";
import type { RequestAuthenticationResult } from "@signet/request-auth";
import { type AuthorizationResult, deniedBody } from "./authorization-result.ts";
import type { CustomAnswer, RefusalAnswer } from "./custom-provider.ts";
import type { RequestPass } from "./request-pass.ts";
import type { WorkloadState } from "./workload-state.ts";

/** A step that may end a request; undefined where the request goes on. */
export type Stage = (
  pass: RequestPass,
  signal: AbortSignal,
) => AuthorizationResult | undefined | Promise<AuthorizationResult | undefined>;

/** The stages that are left, and what the policies at the end are. */
export type Course = { readonly stages: readonly Stage[]; readonly state: WorkloadState };

/** Goes through the stages until one ends the request, and then asks the policies. */
export function advance(
  pass: RequestPass,
  { stages, state }: Course,
  signal: AbortSignal,
): AuthorizationResult | Promise<AuthorizationResult> {
  for (const [index, stage] of stages.entries()) {
    const result = stage(pass, signal);
    if (result instanceof Promise) {
      const rest = { stages: stages.slice(index + 1), state };
      return result.then((later) => later ?? advance(pass, rest, signal));
    }
    if (result !== undefined) return result;
  }
  const asked = pass.facts();
  const { effect, because: reason, policy, ruleIndex, id, audit, shadow } = decide(state.policies, asked);
  const named = {
    ...(policy === undefined ? {} : { policy }),
    ...(ruleIndex === undefined ? {} : { rule: ruleIndex }),
    ...(id === undefined ? {} : { id }),
  };
  const answer = effect === "deny" ? refusal(403, deniedBody) : undefined;
  return pass.conclude({ effect, reason, ...named, audit, shadow, asked }, answer);
}

/** Takes what authentication found into the request, or ends it. */
export function authenticated(pass: RequestPass, result: RequestAuthenticationResult): AuthorizationResult | undefined {
  if (result.kind !== "rejected") {
    pass.authenticated(result);
    return undefined;
  }
  const { status, body, wwwAuthenticate } = result;
  const headers = wwwAuthenticate === undefined ? [] : [["www-authenticate", wwwAuthenticate] as const];
  return pass.conclude({ effect: "deny", reason: "jwt-rejected" }, { status, body, headers });
}

/** Where nobody can be asked. */
export const noProvider: CustomAnswer = { kind: "unavailable", failOpen: false, detail: "nobody can be asked here" };

/** What a client is answered where a provider denies, or does not answer and may not be done without. */
export function denialOf(answer: CustomAnswer): RefusalAnswer | undefined {
  switch (answer.kind) {
    case "allowed":
      return undefined;
    case "denied":
      return answer.answer;
    case "unavailable":
      return answer.failOpen ? undefined : refusal(answer.status ?? 403, "");
  }
}

/** An answer without headers. */
export function refusal(status: number, body: string): RefusalAnswer {
  return { status, body, headers: [] };
}
