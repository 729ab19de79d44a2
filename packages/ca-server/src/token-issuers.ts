import { createJwksSource } from "@signet/jwt";
import { errorMessage, systemClock } from "@signet/runtime";

/** An OIDC issuer whose tokens name callers, and the audiences of which a token must name at least one. */
export type TokenIssuer = {
  readonly issuer: string;
  /** Where its keys are; found by OIDC discovery when absent. */
  readonly jwksUri?: string;
  readonly audiences: readonly string[];
};

/** What the CA reads of Istio's JWTRule; without audiences, the default ones are meant. */
export type JwtRule = TokenIssuer;

/** What the settings say of token issuers. */
export type TokenIssuerSettings = {
  readonly jwtRules: readonly JwtRule[];
  readonly tokenIssuer: string;
  readonly tokenIssuerAudience: string;
  readonly tokenAudiences: readonly string[];
};

/** Istio's JWTRule; the CA reads the first four, and the rest says what Envoy does with a token. */
const readFields: readonly string[] = ["issuer", "jwksUri", "jwks_uri", "audiences"];
const ignoredFields: ReadonlySet<string> = new Set([
  ...["fromHeaders", "from_headers", "fromParams", "from_params", "fromCookies", "from_cookies"],
  ...["outputPayloadToHeader", "output_payload_to_header", "outputClaimToHeaders", "output_claim_to_headers"],
  ...["forwardOriginalToken", "forward_original_token", "timeout"],
]);

/**
 * Returns the rules of `JWT_RULE`: one, or an array of them.
 * @throws Error naming what is wrong with a rule
 */
export function parseJwtRules(value: unknown): readonly JwtRule[] {
  return (Array.isArray(value) ? value : [value]).map(parseJwtRule);
}

function parseJwtRule(rule: unknown): JwtRule {
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) throw new Error("a rule is not a JSON object");
  const fields = rule as Readonly<Record<string, unknown>>;
  const unread = Object.keys(fields).find((name) => !readFields.includes(name) && !ignoredFields.has(name));
  // A misspelt "audiences", or keys given in place, must not be passed over in silence.
  if (unread !== undefined) throw new Error(`the CA cannot honour a rule's field ${JSON.stringify(unread)}`);
  const { issuer, jwksUri = fields.jwks_uri, audiences = [] } = fields;
  if (typeof issuer !== "string" || issuer === "") throw new Error("a rule has no issuer");
  const of = `the rule of issuer ${JSON.stringify(issuer)}`;
  if (jwksUri !== undefined && typeof jwksUri !== "string") throw new Error(`${of} has a jwksUri that is not text`);
  if (!isStringArray(audiences) || audiences.includes("")) throw new Error(`${of} has audiences that are not names`);
  return { issuer, ...(jwksUri !== undefined && jwksUri !== "" && { jwksUri }), audiences };
}

function isStringArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/**
 * Returns the issuers that the settings name, and a sentence for everything that is wrong with them.
 *
 * A rule without audiences gets `TOKEN_AUDIENCES`, and none ever accepts just any audience: a token that was minted for
 * another service would otherwise buy its bearer a certificate.
 */
export function listTokenIssuers({ jwtRules, tokenIssuer, tokenIssuerAudience, tokenAudiences }: TokenIssuerSettings): {
  readonly issuers: readonly TokenIssuer[];
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  if (tokenAudiences.length === 0) problems.push("TOKEN_AUDIENCES names no audience");
  if (tokenIssuer === "" && tokenIssuerAudience !== "") problems.push("AUDIENCE is set without TOKEN_ISSUER");
  const rules = [...jwtRules];
  if (tokenIssuer !== "") {
    rules.push({ issuer: tokenIssuer, audiences: tokenIssuerAudience === "" ? [] : [tokenIssuerAudience] });
  }
  const issuers = rules.map((rule) => ({
    ...rule,
    audiences: rule.audiences.length > 0 ? rule.audiences : tokenAudiences,
  }));
  return { issuers, problems: [...problems, ...checkIssuers(issuers)] };
}

function checkIssuers(issuers: readonly TokenIssuer[]): readonly string[] {
  const seen = new Set<string>();
  return issuers.flatMap((issuer) => {
    const name = `issuer ${JSON.stringify(issuer.issuer)}`;
    if (seen.has(issuer.issuer)) return [`${name} is given twice`];
    seen.add(issuer.issuer);
    try {
      // Made to be thrown away: it checks the URLs, and fetches nothing before it is used.
      createJwksSource(issuer, { clock: systemClock, random: () => 0 });
      return [];
    } catch (error) {
      return [`${name}: ${errorMessage(error)}`];
    }
  });
}
