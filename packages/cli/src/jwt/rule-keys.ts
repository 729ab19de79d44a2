import type { JwtRule } from "@signet/documents";
import { compileJwtRules, type RuleKey } from "@signet/request-auth";
import type { DecodedToken } from "../text/decode-token.ts";
import { describeInstant } from "../text/describe-instant.ts";
import type { OpenRules } from "./open-rules.ts";

/** The keys that a rule judges a token with, for people. */
export type RuleKeysInWords = {
  /** Where they are from, and how old they are: "the JWKS fetched 4 minutes ago". */
  readonly source: string;
  /** Ids of those that could be used, as far as they have one. */
  readonly keyIds: readonly string[];
  /** Why they cannot be had. */
  readonly problem?: string;
};

/** Returns the keys of `rule`, as far as they are for the algorithm that the token names where they are fetched. */
export async function ruleKeysOf(
  { rule, inline }: { readonly rule: JwtRule; readonly inline: boolean },
  { open, decoded }: { readonly open: OpenRules; readonly decoded: DecodedToken },
  signal: AbortSignal,
): Promise<RuleKeysInWords> {
  const now = open.clock.now();
  const compiled = compileJwtRules([rule], open.options);
  const own = compiled.compiled.get(rule)?.keys;
  if (own !== undefined) {
    const file = open.jwksFiles.get(rule.issuer) ?? open.jwksFiles.get(rule.jwksUri ?? "");
    const source =
      inline || file === undefined
        ? "the JWKS in the rule"
        : `the JWKS of ${file.path}, written ${describeInstant(file.changedAt, now)}`;
    return { source, keyIds: idsOf(own) };
  }
  // Only where the token would have led to them: nobody is asked for the keys of another issuer.
  const concerned = decoded.kind === "decoded" && (rule.issuer === "" || decoded.claims.iss === rule.issuer);
  if (!concerned) return { source: "its JWKS", keyIds: [] };
  const alg = typeof decoded.header.alg === "string" ? decoded.header.alg : "";
  const outcome = await open.authenticator.keysOf(rule, { alg }, signal);
  const health = open.authenticator.health().find((one) => one.issuer === rule.issuer && one.jwksUri === rule.jwksUri);
  const age =
    health?.ageMs === undefined ? "" : ` fetched ${describeInstant(new Date(now.getTime() - health.ageMs), now)}`;
  const source = `the JWKS${age}`;
  if (outcome.kind === "unavailable") return { source, keyIds: [], problem: outcome.detail };
  return { source, keyIds: idsOf(outcome.keys) };
}

function idsOf(keys: readonly RuleKey[]): readonly string[] {
  return keys.map(({ keyId }) => keyId).filter((keyId) => keyId !== "");
}
