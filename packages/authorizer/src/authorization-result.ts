import type { AuthorizationRequest, PolicyName, RuleName, ShadowResults } from "@signet/policy";
import type { HeaderChanges } from "@signet/request-auth";
import type { RefusalAnswer } from "./custom-provider.ts";

/**
 * Why a request is allowed or denied. Closed. Those of `decide`; a CUSTOM provider denied it, or could not be asked; plaintext
 * where mutual TLS is wanted; a token that no rule accepts.
 */
export type AuthorizationReason =
  | "no-policy"
  | "allow-matched"
  | "no-allow-matched"
  | "deny-matched"
  | "custom-denied"
  | "mtls-required"
  | "jwt-rejected";

/** What becomes of one request, end to end. */
export type AuthorizationResult = {
  readonly effect: "allow" | "deny";
  readonly reason: AuthorizationReason;
  /** The policy that decided; absent where none did. */
  readonly policy?: PolicyName;
  /** Its rule, from 0. */
  readonly rule?: number;
  /** The effective policy id, as Envoy's filters call it. */
  readonly id?: string;
  /** Every rule of an AUDIT policy that matches. Empty where the request did not come so far. */
  readonly audit: readonly RuleName[];
  /** What policies on dry-run would have decided. */
  readonly shadow: ShadowResults;
  /** The request as policies looked at it, so that it can be explained; absent where it did not come so far. */
  readonly asked?: AuthorizationRequest;
  /** The CUSTOM provider that denied it. */
  readonly provider?: string;
  /** `<iss>/<sub>` of a verified token. */
  readonly requestPrincipal?: string;
  /** Its claims, as policies see them. */
  readonly payload?: Readonly<Record<string, unknown>>;
  /** Its claims, as in the token. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** What changes on the way upstream; nothing where the request is denied. */
  readonly upstream: HeaderChanges;
  /** Headers that are added to the answer of the upstream. */
  readonly downstream: readonly (readonly [name: string, value: string])[];
  /** What the client is answered; there exactly where the request is denied. */
  readonly answer?: RefusalAnswer;
};

/** Envoy's text for a request that policies deny. */
export const deniedBody = "RBAC: access denied";
