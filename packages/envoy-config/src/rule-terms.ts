import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
} from "@signet/documents";
import { addressMatcher } from "./cidr-range.ts";
import { claimMatcher, claimPath, metadataMatcher, requestPrincipalMatcher } from "./claim-matcher.ts";
import type { JsonMap } from "./envoy-filter.ts";
import { type Matched, matcher, unusable } from "./matched.ts";
import {
  namespaceName,
  type PeerIdentity,
  peerMatcher,
  principalName,
  serviceAccountName,
  trustDomainName,
} from "./peer-matcher.ts";
import { headerMatcher, pathMatcher, portMatcher } from "./request-matcher.ts";
import { stringMatcher } from "./string-matcher.ts";
import { expandPrincipals, expandTrustDomains } from "./trust-domain-aliases.ts";

/** What a rule asks about one attribute: one of `values` if there are any, and none of `notValues`. */
export type RuleTerm = {
  /** As its policy has it, for people. */
  readonly name: string;
  /** On which side of an Envoy policy it stands. */
  readonly side: "permissions" | "principals";
  readonly values: readonly string[];
  readonly notValues: readonly string[];
  /** Whether a TCP connection has no such attribute. */
  readonly isHttp: boolean;
  /** Each value a matcher, or all of them one. */
  readonly match:
    | { readonly kind: "each"; readonly of: (value: string) => Matched }
    | { readonly kind: "together"; readonly of: (values: readonly string[]) => Matched };
};

/** What terms depend on besides their rule. */
export type TermContext = {
  /** Of the policy. */
  readonly namespace: string;
  /** The mesh's own first, then its aliases. */
  readonly trustDomains: readonly string[];
  readonly peerIdentity: PeerIdentity;
};

/** The terms of a rule in the order in which istiod writes them; each of `to` and of `from` is an alternative. */
export type RuleTerms = {
  readonly to: readonly (readonly RuleTerm[])[];
  readonly from: readonly (readonly RuleTerm[])[];
};

/** Returns what a rule asks, alternative by alternative: its conditions are part of every one of them. */
export function ruleTerms({ from, to, when }: AuthorizationRule, context: TermContext): RuleTerms {
  const conditions = when.map((condition) => conditionTerm(condition, context));
  const ofSide = (side: RuleTerm["side"]): readonly RuleTerm[] => conditions.filter((term) => term.side === side);
  const inPermissions = ofSide("permissions");
  const inPrincipals = ofSide("principals");
  return {
    to: to.length === 0 ? [inPermissions] : to.map((each) => [...operationTerms(each), ...inPermissions]),
    from: from.length === 0 ? [inPrincipals] : from.map((each) => [...sourceTerms(each, context), ...inPrincipals]),
  };
}

type Values = Pick<RuleTerm, "values" | "notValues">;

function operationTerms(to: AuthorizationOperation): readonly RuleTerm[] {
  return [
    term("hosts", { values: to.hosts, notValues: to.notHosts }, hosts),
    term("methods", { values: to.methods, notValues: to.notMethods }, methods),
    term("paths", { values: to.paths, notValues: to.notPaths }, paths),
    term("ports", { values: to.ports, notValues: to.notPorts }, ports),
  ];
}

function sourceTerms(from: AuthorizationSource, context: TermContext): readonly RuleTerm[] {
  const { principals, namespaces, serviceAccounts, trustDomains } = peerAttributes(context);
  const ofPrincipals = { values: from.requestPrincipals, notValues: from.notRequestPrincipals };
  return [
    term("principals", { values: from.principals, notValues: from.notPrincipals }, principals),
    term("requestPrincipals", ofPrincipals, requestPrincipals),
    term("serviceAccounts", { values: from.serviceAccounts, notValues: from.notServiceAccounts }, serviceAccounts),
    term("trustDomains", { values: from.trustDomains, notValues: from.notTrustDomains }, trustDomains),
    term("namespaces", { values: from.namespaces, notValues: from.notNamespaces }, namespaces),
    term("remoteIpBlocks", { values: from.remoteIpBlocks, notValues: from.notRemoteIpBlocks }, remoteIp),
    term("ipBlocks", { values: from.ipBlocks, notValues: from.notIpBlocks }, sourceIp),
  ];
}

/** How values of an attribute are matched, and on which side. */
type Attribute = Pick<RuleTerm, "side" | "isHttp" | "match"> & {
  readonly expand?: (values: readonly string[]) => readonly string[];
};

function term(name: string, { values, notValues }: Values, attribute: Attribute): RuleTerm {
  const { expand = (same: readonly string[]) => same, ...how } = attribute;
  return { name, values: expand(values), notValues: expand(notValues), ...how };
}

function each(side: RuleTerm["side"], of: (value: string) => Matched, isHttp = false): Attribute {
  return { side, isHttp, match: { kind: "each", of } };
}

function together(side: RuleTerm["side"], of: (values: readonly string[]) => Matched, isHttp: boolean): Attribute {
  return { side, isHttp, match: { kind: "together", of } };
}

const hosts = each("permissions", (value) => headerMatcher(":authority", value, { ignoreCase: true }), true);
const methods = each("permissions", (value) => headerMatcher(":method", value), true);
const paths = each("permissions", pathMatcher, true);
const ports = each("permissions", portMatcher);
const destinationIp = each("permissions", (value) => addressMatcher("destinationIp", value));
const serverName = each("permissions", (value) => matcher({ requestedServerName: stringMatcher(value) }));
const sourceIp = each("principals", (value) => addressMatcher("directRemoteIp", value));
const remoteIp = each("principals", (value) => addressMatcher("remoteIp", value));
const requestPrincipals = together("principals", (values) => matcher(requestPrincipalMatcher(values)), true);

type PeerAttributes = Readonly<Record<"principals" | "namespaces" | "serviceAccounts" | "trustDomains", Attribute>>;

function peerAttributes({ namespace, trustDomains, peerIdentity }: TermContext): PeerAttributes {
  const byName = (nameOf: (value: string) => JsonMap): Attribute =>
    each("principals", (value) => matcher(peerMatcher(nameOf(value), peerIdentity)));
  return {
    principals: { ...byName(principalName), expand: (values) => expandPrincipals(values, trustDomains) },
    namespaces: byName(namespaceName),
    serviceAccounts: byName((value) => serviceAccountName(value, namespace)),
    trustDomains: { ...byName(trustDomainName), expand: (values) => expandTrustDomains(values, trustDomains) },
  };
}

function conditionTerm({ key, values, notValues }: AuthorizationCondition, context: TermContext): RuleTerm {
  return term(key, { values, notValues }, conditionAttribute(key, context));
}

function conditionAttribute(key: string, context: TermContext): Attribute {
  switch (key) {
    case "destination.ip":
      return destinationIp;
    case "destination.port":
      return ports;
    case "connection.sni":
      return serverName;
    case "source.ip":
      return sourceIp;
    case "remote.ip":
      return remoteIp;
    case "source.namespace":
      return peerAttributes(context).namespaces;
    case "source.serviceAccount":
      return peerAttributes(context).serviceAccounts;
    case "source.trustDomain":
      return peerAttributes(context).trustDomains;
    case "source.principal":
      return peerAttributes(context).principals;
    case "request.auth.principal":
      return requestPrincipals;
    case "request.auth.audiences":
      return together("principals", (values) => claimMatcher(["aud"], values), true);
    case "request.auth.presenter":
      return together("principals", (values) => claimMatcher(["azp"], values), true);
    default:
      return namedAttribute(key);
  }
}

const headers = "request.headers";
const claims = "request.auth.claims";
const experimental = "experimental.";

/** Attributes with a name in brackets. */
function namedAttribute(key: string): Attribute {
  if (key.startsWith(`${headers}[`) && key.endsWith("]")) {
    const name = key.slice(headers.length + 1, -1);
    return each("principals", (value) => headerMatcher(name, value), true);
  }
  const path = key.startsWith(claims) ? claimPath(key.slice(claims.length)) : undefined;
  if (path !== undefined) return together("principals", (values) => claimMatcher(path, values), true);
  const open = key.indexOf("[");
  if (key.startsWith(`${experimental}envoy.filters.`) && open > 0 && key.endsWith("]")) {
    const filter = key.slice(experimental.length, open);
    const name = key.slice(open + 1, -1);
    return together("permissions", (values) => metadataMatcher(filter, name, values), false);
  }
  return each("principals", () => unusable("there is no such attribute"));
}
