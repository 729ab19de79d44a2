import type { Facts } from "../facts.ts";
import { type Gap, type Glob, matchGlob } from "../match/glob.ts";
import { toOctets } from "../match/octets.ts";
import { flatPattern, matchText, type TextPattern, textTest } from "../match/text-pattern.ts";
import { type Dimension, type IndexKey, textKey } from "../rules/index-key.ts";
import { expandPrincipal, expandTrustDomain } from "../trust-domain-aliases.ts";
import type { Attribute, CompiledValues, ValueTest } from "./attribute.ts";
import { namespaceEdit, principalEdit, serviceAccountEdit, trustDomainEdit } from "./principal-edit.ts";

const scheme = "spiffe://";

const principalDimension: Dimension = { kind: "text", id: "principal", read: (facts) => facts.request.peerPrincipal };
const namespaceDimension: Dimension = {
  kind: "segments",
  id: "namespace",
  separator: "/ns/",
  read: (facts) => facts.request.peerPrincipal,
};
const serviceAccountDimension: Dimension = {
  kind: "segments",
  id: "service-account",
  separator: "/sa/",
  read: (facts) => facts.request.peerPrincipal,
};

/** `principals` and `source.principal`: the peer's SPIFFE ID without its scheme. */
export const sourcePrincipal: Attribute = {
  title: "source principal",
  cost: 2,
  edit: principalEdit,
  httpOnly: false,
  read: readPrincipal,
  compile: (values, { bundle }) => {
    const expanded = values.flatMap((value) => expandPrincipal(value, bundle)).map(toOctets);
    const keysAreExact = expanded.every((value) => !value.startsWith("*"));
    return { test: principalTest(expanded.map(principalPattern)), ...keysOf(expanded, principalKey), keysAreExact };
  },
};

/** `namespaces` and `source.namespace`: what follows `/ns/`, wherever in the SPIFFE ID that is; each star is anything. */
export const sourceNamespace: Attribute = {
  title: "source namespace",
  cost: 3,
  edit: namespaceEdit,
  httpOnly: false,
  read: readPrincipal,
  compile: (values) => {
    const octets = values.map(toOctets);
    return { test: principalTest(octets.map(namespacePattern)), ...keysOf(octets, namespaceKey) };
  },
};

/** `serviceAccounts` and `source.serviceAccount`: `SA` of the policy's own namespace, or `NS/SA`. */
export const sourceServiceAccount: Attribute = {
  title: "source service account",
  cost: 6,
  edit: serviceAccountEdit,
  httpOnly: false,
  read: readPrincipal,
  compile: (values, { namespace }) => {
    const octets = values.map(toOctets);
    const patterns = octets.flatMap((value) => serviceAccountPatterns(value, toOctets(namespace)));
    return { test: principalTest(patterns), ...keysOf(octets, serviceAccountKey) };
  },
};

/** `trustDomains` and `source.trustDomain`. */
export const sourceTrustDomain: Attribute = {
  title: "source trust domain",
  cost: 2,
  edit: trustDomainEdit,
  httpOnly: false,
  read: readPrincipal,
  compile: (values, { bundle }) => {
    const expanded = values.flatMap((value) => expandTrustDomain(value, bundle)).map(toOctets);
    return { test: principalTest(expanded.map(trustDomainPattern)), ...keysOf(expanded, trustDomainKey) };
  },
};

function readPrincipal({ request }: Facts): string | undefined {
  return request.peerPrincipal;
}

function principalTest(patterns: readonly TextPattern[]): ValueTest {
  const dotted = patterns.filter(isDotted).map(flatPattern);
  const plain = patterns.filter((pattern) => !isDotted(pattern));
  const matchesPlain = textTest(plain);
  return (facts) => {
    const { peerPrincipal } = facts.request;
    if (peerPrincipal === undefined) return false;
    if (plain.length > 0 && matchesPlain(peerPrincipal)) return true;
    for (let index = 0; index < dotted.length; index++) {
      const pattern = dotted[index];
      if (pattern !== undefined && matchesDotted(pattern, peerPrincipal, facts)) return true;
    }
    return false;
  };
}

function isDotted({ kind }: TextPattern): boolean {
  return kind === "glob" || kind === "contains";
}

/** What the whole text is made of is found out once for each request, and not for each pattern. */
function matchesDotted(pattern: TextPattern, text: string, facts: Facts): boolean {
  switch (pattern.kind) {
    case "contains":
      return text.includes(pattern.text) && facts.principalIsDot;
    case "glob":
      return matchGlob(pattern.glob, text, facts.principalIsDot);
    default:
      return matchText(pattern, text);
  }
}

/** Keys for all values, or none at all: a value without a key could match anything. */
function keysOf(
  values: readonly string[],
  keyOf: (value: string) => IndexKey | undefined,
): Pick<CompiledValues, "keys"> {
  const keys = values.map(keyOf);
  return keys.every((key) => key !== undefined) ? { keys } : {};
}

function principalPattern(value: string): TextPattern {
  if (value === "*") return { kind: "some-text", unicode: false };
  if (value.startsWith("*")) return globPattern([scheme, value.slice(1)], [".*"]);
  if (value.endsWith("*")) return { kind: "prefix", text: `${scheme}${value.slice(0, -1)}` };
  return { kind: "exact", text: `${scheme}${value}` };
}

function principalKey(value: string): IndexKey | undefined {
  if (value === "*") return undefined;
  if (value.startsWith("*")) return textKey(principalDimension, "suffix", value.slice(1));
  if (value.endsWith("*")) {
    return textKey(principalDimension, "prefix", `${scheme}${value.slice(0, -1)}`);
  }
  return textKey(principalDimension, "exact", `${scheme}${value}`);
}

function namespacePattern(value: string): TextPattern {
  const parts = value.split("*");
  const last = parts.length - 1;
  if (last === 0) return { kind: "contains", text: `/ns/${value}/` };
  const literals = parts.map((part, index) => `${index === 0 ? "/ns/" : ""}${part}${index === last ? "/" : ""}`);
  return globPattern(["", ...literals, ""], [".*", ...parts.slice(1).map((): Gap => ".*"), ".*"]);
}

function namespaceKey(value: string): IndexKey | undefined {
  const star = value.indexOf("*");
  const text = star < 0 ? `${value}/` : value.slice(0, star);
  return text === "" ? undefined : textKey(namespaceDimension, "prefix", text);
}

/** The four forms that a service account has in a SPIFFE ID: with or without parts before `sa` and after its name. */
function serviceAccountPatterns(value: string, policyNamespace: string): readonly TextPattern[] {
  const slash = value.indexOf("/");
  const namespace = slash < 0 ? policyNamespace : value.slice(0, slash);
  const serviceAccount = slash < 0 ? value : value.slice(slash + 1);
  const start = `/ns/${namespace}/`;
  return [
    globPattern([scheme, `${start}sa/${serviceAccount}`], [".+"]),
    globPattern([scheme, start, `/sa/${serviceAccount}`], [".+", ".+"]),
    globPattern([scheme, `${start}sa/${serviceAccount}/`, ""], [".+", ".+"]),
    globPattern([scheme, start, `/sa/${serviceAccount}/`, ""], [".+", ".+", ".+"]),
  ];
}

function serviceAccountKey(value: string): IndexKey | undefined {
  const text = value.slice(value.indexOf("/") + 1);
  return text === "" ? undefined : textKey(serviceAccountDimension, "prefix", text);
}

function trustDomainPattern(value: string): TextPattern {
  if (value === "*") return { kind: "prefix", text: scheme };
  const star = value.indexOf("*");
  if (star < 0) return { kind: "prefix", text: `${scheme}${value}/` };
  const parts = value.split("*");
  const literals = parts.map(
    (part, index) => `${index === 0 ? scheme : ""}${part}${index === parts.length - 1 ? "/" : ""}`,
  );
  return globPattern([...literals, ""], [...parts.slice(1).map((): Gap => "[^/]*"), ".*"]);
}

function trustDomainKey(value: string): IndexKey | undefined {
  const star = value.indexOf("*");
  const text = star < 0 ? `${value}/` : value.slice(0, star);
  return text === "" ? undefined : textKey(principalDimension, "prefix", `${scheme}${text}`);
}

function globPattern(literals: Glob["literals"], gaps: readonly Gap[]): TextPattern {
  return { kind: "glob", glob: { literals, gaps } };
}
