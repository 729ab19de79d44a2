import type { RequestAuthentication } from "@signet/documents";
import { withSeverity } from "./check-values.ts";
import { allFacets, type Facet, type RuleFacets } from "./facet.ts";
import type { LintContext } from "./lint-context.ts";
import { type Place, quote, type Remark, type Report } from "./lint-finding.ts";

/** Says which conditions about tokens never hold, and which tokens nobody asks for. */
export function checkTokens(context: LintContext, report: Report): void {
  for (const rule of context.rules) {
    for (const facet of allFacets(rule)) {
      if (facet.attribute.startsWith("request.auth.")) checkFacet(rule, facet, { context, report });
    }
  }
  for (const document of context.requestAuthentications) {
    checkRequired(document, context, report);
    checkJwtRules(document, report);
  }
}

type Checking = { readonly context: LintContext; readonly report: Report };

function checkFacet(rule: RuleFacets, facet: Facet, { context, report }: Checking): void {
  const documents = context.tokensNear(rule.policy);
  const place = (path: string): Place => ({ document: rule.policy, path, position: facet.position });
  if (documents.length === 0) report(place(facet.path), withSeverity(notVerified(facet), rule, facet));
  const issuers = new Set(documents.flatMap(({ jwtRules }) => jwtRules.map(({ issuer }) => issuer)));
  for (const [index, value] of facet.values.entries()) {
    const remark = checkIssuer(facet.attribute, value, issuers);
    if (remark !== undefined) report(place(`${facet.path}[${index}]`), withSeverity(remark, rule, facet));
  }
}

function notVerified({ attribute, negative }: Facet): Remark {
  const holds = negative ? "always holds" : "never holds";
  return {
    id: "token-not-verified",
    reason: `no RequestAuthentication verifies tokens for these workloads, so that a condition on ${attribute} ${holds}`,
    fix: "add a RequestAuthentication with the issuer's jwtRules for the same workloads",
  };
}

/** `issuers` is empty where none can be told, and holds an empty one where any will do. */
function checkIssuer(attribute: string, value: string, issuers: ReadonlySet<string>): Remark | undefined {
  if (attribute === "request.auth.claims[iss]") return value.includes("*") ? undefined : unknown(value, value, issuers);
  if (attribute !== "request.auth.principal" || value === "*") return undefined;
  // The last slash, as issuers are URLs.
  const at = value.lastIndexOf("/");
  if (at < 0 && !value.startsWith("*") && !value.endsWith("*")) {
    return {
      id: "request-principal-cut",
      reason: `${quote(value)} has no slash, so that it is an issuer with an empty subject, which no token has`,
      fix: `write ${quote(`${value}/*`)} for any subject of that issuer`,
    };
  }
  const issuer = value.slice(0, Math.max(at, 0));
  if (/^https?:\/?$/.test(issuer)) {
    return {
      id: "request-principal-cut",
      reason: `${quote(value)} is cut at its last slash into issuer ${quote(issuer)} and subject ${quote(value.slice(at + 1))}`,
      fix: `write ${quote(`${value.replace(/\*$/, "")}/*`)} for any subject of that issuer`,
    };
  }
  if (at < 0 || issuer.startsWith("*") || issuers.has(issuer)) return undefined;
  return subjectWithSlash(value, issuers) ?? unknown(issuer, value, issuers);
}

function subjectWithSlash(value: string, issuers: ReadonlySet<string>): Remark | undefined {
  const issuer = [...issuers].find((known) => known !== "" && value.startsWith(`${known}/`));
  if (issuer === undefined) return undefined;
  const subject = value.slice(issuer.length + 1);
  return {
    id: "subject-with-slash",
    reason: `${quote(value)} is cut at its last slash, so that it is not issuer ${quote(issuer)} with subject ${quote(subject)}`,
    fix: `use conditions on request.auth.claims[iss] and request.auth.claims[sub]`,
  };
}

function unknown(issuer: string, value: string, issuers: ReadonlySet<string>): Remark | undefined {
  if (issuers.size === 0 || issuers.has("") || issuers.has(issuer)) return undefined;
  const near = [...issuers].find((known) => known === `${issuer}/` || `${known}/` === issuer);
  const hint = near === undefined ? "" : `; ${quote(near)} is another issuer, as every slash counts`;
  return {
    id: "issuer-unknown",
    reason: `no RequestAuthentication for these workloads has the issuer ${quote(issuer)}${hint}`,
    fix:
      near === undefined || value === issuer
        ? `write one of ${[...issuers].slice(0, 5).map(quote).join(", ")}, or add a rule for it`
        : `write ${quote(`${near}${value.slice(issuer.length)}`)}`,
  };
}

/** Whether some policy turns a request away because it has no token. */
function checkRequired(document: RequestAuthentication, context: LintContext, report: Report): void {
  if (document.jwtRules.length === 0) return;
  const near = new Set(context.policiesNear(document));
  const isRequired = context.rules.some(({ policy, ...rule }) => {
    if (!near.has(policy) || policy.dryRun) return false;
    const facets = allFacets({ policy, ...rule });
    const about = facets.filter(({ attribute }) => attribute.startsWith("request.auth."));
    return about.some(({ negative }) => (policy.action === "ALLOW" ? !negative : policy.action === "DENY" && negative));
  });
  if (isRequired) return;
  report(
    { document, path: "", position: document.position },
    {
      id: "token-not-required",
      reason:
        "requests without a token pass: a RequestAuthentication turns away bad tokens alone, and no policy asks for one",
      fix: 'add an ALLOW policy with requestPrincipals: ["*"] for the same workloads',
    },
  );
}

function checkJwtRules(document: RequestAuthentication, report: Report): void {
  for (const [index, rule] of document.jwtRules.entries()) {
    const path = `spec.jwtRules[${index}]`;
    const say = (field: string, remark: Remark): void => {
      report({ document, path: `${path}.${field}`, position: rule.position }, remark);
    };
    if (rule.audiences.length === 0) {
      say("audiences", {
        id: "audience-unchecked",
        reason: `a token of issuer ${quote(rule.issuer)} that was made for somebody else is accepted too`,
        fix: "list the audiences that stand for this service",
      });
    }
    if (rule.jwksUri?.toLowerCase().startsWith("http://") === true) {
      say("jwksUri", {
        id: "jwks-over-http",
        reason: "whoever is on the way to the keys can put theirs in their place",
        fix: "use an https URL",
      });
    }
    for (const [at, { claim, header }] of rule.outputClaimToHeaders.entries()) {
      if (!claim.includes("://")) continue;
      say(`outputClaimToHeaders[${at}].claim`, {
        id: "output-claim-dotted",
        reason: `the dots of ${quote(claim)} lead into objects, so that header ${quote(header)} is never set`,
        fix: "use the option bracketedClaims of request authentication, or have the issuer name it otherwise",
      });
    }
  }
}
