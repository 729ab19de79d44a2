import { BlockList } from "node:net";
import {
  type AuthorizationCondition,
  type AuthorizationOperation,
  type AuthorizationPolicy,
  type AuthorizationSource,
  joinedHeaderValues,
} from "@signet/documents";
import type { AuthorizationRequest } from "../authorization-request.ts";
import type { CompileOptions } from "../compile-policies.ts";
import { isIp, octets, octetsRegExp, quote, starRegExp, templateRegExp } from "./naive-text.ts";

export type NaiveContext = {
  readonly policy: AuthorizationPolicy;
  readonly options: CompileOptions;
  readonly request: AuthorizationRequest;
};

/** A field's name or a `when` key, and its two lists. */
export type NaiveCondition = {
  readonly about: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
};

type Outcome = boolean | "rule-is-lost";

export function naiveSource(source: AuthorizationSource): readonly NaiveCondition[] {
  return [
    { about: "source.principal", values: source.principals, notValues: source.notPrincipals },
    { about: "request.auth.principal", values: source.requestPrincipals, notValues: source.notRequestPrincipals },
    { about: "source.serviceAccount", values: source.serviceAccounts, notValues: source.notServiceAccounts },
    { about: "source.trustDomain", values: source.trustDomains, notValues: source.notTrustDomains },
    { about: "source.namespace", values: source.namespaces, notValues: source.notNamespaces },
    { about: "remote.ip", values: source.remoteIpBlocks, notValues: source.notRemoteIpBlocks },
    { about: "source.ip", values: source.ipBlocks, notValues: source.notIpBlocks },
  ];
}

export function naiveOperation(operation: AuthorizationOperation): readonly NaiveCondition[] {
  return [
    { about: "host", values: operation.hosts, notValues: operation.notHosts },
    { about: "method", values: operation.methods, notValues: operation.notMethods },
    { about: "path", values: operation.paths, notValues: operation.notPaths },
    { about: "destination.port", values: operation.ports, notValues: operation.notPorts },
  ];
}

export function holdsWhenNaively({ key, values, notValues }: AuthorizationCondition, context: NaiveContext): Outcome {
  return holdsNaively({ about: key, values, notValues }, context);
}

export function holdsNaively({ about, values, notValues }: NaiveCondition, context: NaiveContext): Outcome {
  if (values.length + notValues.length === 0) return true;
  const allows = context.policy.action === "ALLOW";
  const httpOnly = /^(host|method|path|request\..*)$/s.test(about);
  if (context.request.kind === "tcp" && httpOnly) return allows ? "rule-is-lost" : true;
  const matchers = [...values, ...notValues].map((value) => matcherOf(about, value, context));
  if (matchers.includes(undefined) && allows) return "rule-is-lost";
  const matches = matchers.map((matcher) => matcher?.() ?? "left-out");
  if (matches.includes("unknown")) return !allows;
  const positive = matches.slice(0, values.length).filter((match) => match !== "left-out");
  const negative = matches.slice(values.length).filter((match) => match !== "left-out");
  return (positive.length === 0 || positive.includes(true)) && !negative.includes(true);
}

type Matcher = () => boolean | "unknown";

/** Says whether a request matches one value; undefined for what cannot be used. */
function matcherOf(about: string, value: string, context: NaiveContext): Matcher | undefined {
  const { request } = context;
  const http = request.kind === "http" ? request : undefined;
  switch (about) {
    case "source.principal":
      return () => expand(value, context).some((one) => matches(principalRegExp(one), request.peerPrincipal));
    case "source.namespace": {
      const namespace = value.split("*").map(quote).join(".*");
      return () => matches(`.*/ns/${namespace}/.*`, request.peerPrincipal);
    }
    case "source.serviceAccount": {
      const [first = "", second] = value.split(/\/(.*)/s);
      const [namespace, name] = second === undefined ? [context.policy.namespace, first] : [first, second];
      return () => matches(`spiffe://.+/ns/${quote(namespace)}/(.+/|)sa/${quote(name)}(/.+)?`, request.peerPrincipal);
    }
    case "source.trustDomain":
      return () => expandDomain(value, context).some((one) => matches(trustDomainRegExp(one), request.peerPrincipal));
    case "request.auth.principal":
      return () => requestPrincipalMatches(value, http?.jwtPayload?.iss, http?.jwtPayload?.sub);
    case "remote.ip":
      return ipMatcher(value, request.remoteIp);
    case "source.ip":
      return ipMatcher(value, request.directRemoteIp);
    case "destination.ip":
      return ipMatcher(value, request.destinationIp);
    case "destination.port":
      return /^\d{1,5}$/.test(value) && Number(value) < 65_536
        ? () => Number(value) === request.destinationPort
        : undefined;
    case "host":
      return () => matches(starRegExp(value, "(.|\\n)*"), http?.host, "i");
    case "method":
      return () => matches(starRegExp(value, "(.|\\n)*"), http?.method);
    case "path": {
      const pattern = /\{\*\*?\}/.test(value) ? templateRegExp(value) : starRegExp(value, ".+");
      return pattern === undefined ? undefined : () => matches(pattern, http?.path?.replace(/[?#].*$/s, ""));
    }
    case "connection.sni":
      return () =>
        matches(
          starRegExp(value, ".+"),
          request.sni?.replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
        );
    default:
      return keyedMatcher(about, value, context);
  }
}

/** Keys with names in brackets. */
function keyedMatcher(key: string, value: string, { request, options }: NaiveContext): Matcher | undefined {
  const http = request.kind === "http" ? request : undefined;
  const header = /^request\.headers\[(.+)\]$/s.exec(key)?.[1];
  if (header !== undefined) {
    return () => headerValues(header, request, options).some((one) => matches(starRegExp(value, "(.|\\n)*"), one));
  }
  const path =
    key === "request.auth.audiences"
      ? ["aud"]
      : key === "request.auth.presenter"
        ? ["azp"]
        : claimPath(/^request\.auth\.claims(\[.*\])$/s.exec(key)?.[1]);
  if (path !== undefined) return () => claimMatches(value, valueAt(http?.jwtPayload, path));
  const metadata = /^experimental\.(envoy\.filters\.[^[]*)\[(.*?)\]?$/s.exec(key);
  if (metadata === null) return undefined;
  const found = valueAt(request.filterMetadata, [metadata[1] ?? "", metadata[2] ?? ""]);
  const element = /^\[.*\]$/s.test(value) ? value.replace(/^[[\]]+/, "").replace(/[[\]]+$/, "") : undefined;
  if (element === undefined) return () => typeof found === "string" && unicodeMatches(value, found);
  return () => Array.isArray(found) && found.some((one) => typeof one === "string" && unicodeMatches(element, one));
}

function claimPath(brackets: string | undefined): readonly string[] | undefined {
  if (brackets === undefined) return undefined;
  if (!/^(\[[^[\]]*\])+$/.test(brackets)) return [brackets.slice(1, -1)];
  return brackets.slice(1, -1).split("][");
}

function headerValues(name: string, request: AuthorizationRequest, options: CompileOptions): readonly string[] {
  if (request.kind !== "http") return [];
  const lower = octets(name).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const pseudo: Record<string, string | undefined> = {
    ":path": request.path,
    ":method": request.method,
    ":scheme": request.scheme,
    ":authority": request.host,
    host: request.host,
  };
  const found = Object.hasOwn(pseudo, lower) ? pseudo[lower] : request.headers.get(lower);
  if (found === undefined) return [];
  if (typeof found === "string") return [found];
  if (options.headerMatching === "joined" && found.length > 0) return [found.join(",")];
  return joinedHeaderValues(lower, found);
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.getOwnPropertyDescriptor(value, name)?.value
        : undefined,
    object,
  );
}

function claimMatches(value: string, claim: unknown): boolean {
  const texts = Array.isArray(claim) ? claim : [claim];
  return texts.some((text) => typeof text === "string" && unicodeMatches(value, text));
}

function unicodeMatches(value: string, text: string): boolean {
  if (value === "*") return text !== "" && !text.includes("\n");
  if (value.startsWith("*")) return text.endsWith(value.slice(1));
  return value.endsWith("*") ? text.startsWith(value.slice(0, -1)) : text === value;
}

function requestPrincipalMatches(value: string, issuer: unknown, subject: unknown): boolean {
  if (typeof issuer !== "string" || typeof subject !== "string") return false;
  const some = (text: string): boolean => text !== "" && !text.includes("\n");
  const cut = /^(.*)\/([^/]*)$/s.exec(value);
  if (value === "*") return some(issuer) && some(subject);
  if (cut === null) {
    if (value.startsWith("*")) return some(issuer) && subject.endsWith(value.slice(1));
    if (value.endsWith("*")) return issuer.startsWith(value.slice(0, -1)) && some(subject);
    return issuer === value && subject === "";
  }
  const [, left = "", right = ""] = cut;
  if (value.startsWith("*")) return (left === "*" ? some(issuer) : issuer.endsWith(left.slice(1))) && subject === right;
  if (right === "*") return issuer === left && some(subject);
  return issuer === left && (value.endsWith("*") ? subject.startsWith(right.slice(0, -1)) : subject === right);
}

function ipMatcher(value: string, ip: string | undefined): Matcher | undefined {
  const [address = "", length, ...more] = value.split("/");
  const family = isIp(address);
  const max = family === 6 ? 128 : 32;
  if (family === 0 || more.length > 0) return undefined;
  if (length !== undefined && !(/^(0|[1-9]\d*)$/.test(length) && Number(length) <= max)) return undefined;
  return () => {
    if (ip === undefined) return false;
    const bare = ip.replace(/%.*$/s, "");
    if (isIp(bare) === 0) return "unknown";
    if (isIp(bare) !== family) return false;
    const list = new BlockList();
    const name = family === 6 ? "ipv6" : "ipv4";
    list.addSubnet(address, Number(length ?? max), name);
    return list.check(bare, name);
  };
}

function expand(value: string, { options }: NaiveContext): readonly string[] {
  const bundle = [options.trustDomain ?? "cluster.local", ...(options.trustDomainAliases ?? [])];
  const [first = "", ...rest] = value.split("/");
  if (rest.length !== 4 || first === "*") return [value];
  const like = (text: string, pattern: string): boolean =>
    (pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1))) ||
    (pattern.startsWith("*") && text.endsWith(pattern.slice(1)));
  const known =
    first === "cluster.local" || bundle.some((td) => td === first || td === "*" || like(td, first) || like(first, td));
  if (!known) return [value];
  const covered = (td: string): boolean => first.startsWith("*") && td.endsWith(first.slice(1));
  return bundle.map((td) => (covered(td) ? value : [td, ...rest].join("/")));
}

function expandDomain(value: string, { options }: NaiveContext): readonly string[] {
  const bundle = [options.trustDomain ?? "cluster.local", ...(options.trustDomainAliases ?? [])];
  return bundle.includes(value) ? bundle : [value];
}

function principalRegExp(value: string): string {
  if (value === "*") return ".+";
  if (value.startsWith("*")) return `spiffe://.*${quote(value.slice(1))}`;
  if (value.endsWith("*")) return `${quote(`spiffe://${value.slice(0, -1)}`)}(.|\\n)*`;
  return quote(`spiffe://${value}`);
}

function trustDomainRegExp(value: string): string {
  if (value === "*") return "spiffe://(.|\\n)*";
  if (!value.includes("*")) return `spiffe://${quote(value)}/(.|\\n)*`;
  return `spiffe://${value.split("*").map(quote).join("[^/]*")}/.*`;
}

function matches(pattern: string, text: string | undefined, flags = ""): boolean {
  return text !== undefined && octetsRegExp(pattern, flags).test(text);
}
