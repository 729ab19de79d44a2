import { type AuthorizationPolicy, parseDocuments } from "@signet/documents";
import type { Random } from "../support/random.ts";

/** Policies of one workload, `foo/app=httpbin`. */
export type PolicySet = {
  readonly index: number;
  readonly policies: readonly AuthorizationPolicy[];
  /** The documents that they were read from. */
  readonly text: string;
};

export const trustDomain = "cluster.local";
export const trustDomainAliases: readonly string[] = ["old.example"];

const principals = [
  "cluster.local/ns/foo/sa/bar",
  "old.example/ns/foo/sa/bar",
  "other.example/ns/bar/sa/bar",
  "cluster.local/ns/foo/*",
  "cluster.local/ns/foo",
  "*/sa/bar",
  "*/ns/foo/sa/bar",
  "*r",
  "*",
  "*.example/ns/foo/sa/bar",
  "cluster.local/ns/f.o/sa/b+r",
  "cluster.local*",
  "a*b*",
  "cluster.local/ns/foo/sa/ü",
  "cluster.local/ns/ü*",
  "*/sa/ü",
  "cluster.local/ns/foo/sa/bar*",
];
const namespaces = ["ü", "foo", "bar", "fo*", "*o", "f*o", "*", "ns", "a.b", "foo/sa", "*/*"];
const serviceAccounts = ["ü", "bar", "baz", "foo/bar", "ns/bar", "bar/baz", "b.r", "sa"];
const trustDomains = [
  "cluster.local",
  "old.example",
  "other.example",
  "*.example",
  "cluster*",
  "*",
  "cluster.loca",
  "*",
];
const blocks = [
  "10.0.0.0/8",
  "10.1.2.3",
  "10.1.2.0/24",
  "10.1.2.3/9",
  "0.0.0.0/0",
  "192.0.2.7/31",
  "192.0.2.128/25",
  "255.255.255.255",
  "2001:db8::/32",
  "2001:db8:0:1::/64",
  "2001:db8:0:1:2::/80",
  "::1",
  "::/0",
  "::ffff:10.1.2.3",
  "::ffff:0:0/96",
  "2001:db8::5/127",
];
/** Of peers, which tests have to be: every address of 127.0.0.0/8 can be, and of IPv6 one. */
const peerBlocks = [
  "127.0.0.0/8",
  "127.1.2.3",
  "127.1.2.0/24",
  "127.1.2.3/9",
  "0.0.0.0/0",
  "127.0.2.7/31",
  "127.0.2.128/25",
  "127.255.255.254",
  "::1",
  "::/0",
  "::1/127",
  "2001:db8::/32",
  "::ffff:127.0.0.0/104",
];
const requestPrincipals = [
  "*",
  "https://idp.example/alice",
  "https://idp.example/*",
  "https://idp.example/al*",
  "*/alice",
  "*.example/alice",
  "*ice",
  "https://idp*",
  "alice",
  "https://idp.example//alice",
  "https://other.example/bob",
  "/",
  "https://idp.example/alice*",
  "https://idp.example*",
  "*/",
  "a*/b*",
  "*e/a*",
];
const hosts = [
  "shop.example",
  "SHOP.example:*",
  "*.example",
  "shop.*",
  "*",
  "*:8080",
  "shop.example:8080",
  "*.example:*",
  "Shop.Example",
  "ü.example",
];
const methods = ["GET", "POST", "P*", "*T", "*", "get", "DELETE", "OPTIONS", "G*T"];
const paths = [
  "/",
  "/cart",
  "/cart*",
  "/cart/*",
  "*.jpg",
  "*/items",
  "*",
  "/cart/{*}",
  "/cart/{*}/items",
  "/{**}",
  "/cart/{**}/items",
  "/Cart",
  "/cart;v=1",
  "/a/{*}/",
  "/*",
  "/cart/{**}",
  "/{*}",
  "/{*}/{*}",
  "/a.b+c/*",
  "*/",
  "/cart/%2e%2e",
  "/cart%2Fitems",
  "/c*t",
  "/cart/{*}/{**}",
  "/foo/{**}/",
  "/a@b/{*}",
  "/a=b/{*}",
];
const ports = ["80", "8080", "0", "65535", "443"];
const words = [
  "blue",
  "red",
  "b*",
  "*e",
  "*",
  "blue,red",
  "[blue]",
  "[b*]",
  "ü",
  "über*",
  "Blue",
  "b*e",
  "**",
  "blue ",
];
const snis = ["shop.example", "*.example", "shop.*", "*", "Shop.example"];

const sourceValues: Readonly<Record<string, readonly string[]>> = {
  principals,
  requestPrincipals,
  namespaces,
  serviceAccounts,
  trustDomains,
  ipBlocks: peerBlocks,
  remoteIpBlocks: blocks,
};
const operationValues: Readonly<Record<string, readonly string[]>> = { hosts, ports, methods, paths };
const whenValues: Readonly<Record<string, readonly string[]>> = {
  "source.ip": peerBlocks,
  "remote.ip": blocks,
  "source.namespace": namespaces,
  "source.serviceAccount": serviceAccounts,
  "source.trustDomain": trustDomains,
  "source.principal": principals,
  "request.auth.principal": requestPrincipals,
  "request.auth.audiences": words,
  "request.auth.presenter": words,
  "request.auth.claims[groups]": words,
  "request.auth.claims[realm][roles]": words,
  "request.auth.claims[a.b/c]": words,
  "request.auth.claims[[x]]": words,
  "request.auth.claims[scope]": words,
  "request.auth.claims[iss]": ["https://idp.example", "*"],
  "request.headers[X-Team]": words,
  "request.headers[x-team]": words,
  "request.headers[user-agent]": words,
  "request.headers[accept]": words,
  "request.headers[cookie]": words,
  "request.headers[:path]": paths.filter((path) => !path.includes("{")),
  "request.headers[:method]": methods,
  "request.headers[Host]": hosts,
  "request.headers[:authority]": hosts,
  "request.headers[:scheme]": ["http", "https", "*"],
  "request.headers[x-forwarded-proto]": ["http", "https", "*"],
  "request.headers[authorization]": ["Bearer *", "*"],
  "request.headers[x-request-id]": words,
  "destination.ip": blocks,
  "destination.port": ports,
  "connection.sni": snis,
};
const negatedName = (name: string): string => `not${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/** Makes documents with one to four policies and reads them back, as a user's would be. */
export function makePolicySet(random: Random, index: number): PolicySet {
  const documents = Array.from({ length: 1 + random.below(4) }, (_, at) => makeDocument(random, `p-${at}`));
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { documents: read, refused } = parseDocuments(text, { file: `policies-${index}.yaml`, namespace: "foo" });
  if (refused.length > 0)
    throw new Error(`refused: ${JSON.stringify(refused.map(({ problems }) => problems))} in ${text}`);
  return { index, policies: read.filter((document) => document.kind === "AuthorizationPolicy"), text };
}

function makeDocument(random: Random, name: string): object {
  const action = random.weighted<string>([
    [5, () => "ALLOW"],
    [4, () => "DENY"],
    [1, () => "AUDIT"],
  ]);
  const count = random.weighted([
    [1, () => 0],
    [5, () => 1],
    [3, () => 2],
    [2, () => 3],
    [0.4, () => 12],
  ]);
  const rules = Array.from({ length: action === "ALLOW" ? count : Math.max(1, count) }, () => makeRule(random));
  const dryRun = action !== "AUDIT" && random.chance(0.15);
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: {
      name,
      namespace: random.pick(["foo", "foo", "foo", "istio-system"]),
      ...(dryRun && { annotations: { "istio.io/dry-run": "true" } }),
    },
    spec: { action, ...(rules.length > 0 && { rules }) },
  };
}

function makeRule(random: Random): object {
  if (random.chance(0.02)) return {};
  const [from, to, when] = [random.below(3), random.below(3), random.below(3)];
  const list = (count: number, make: () => object): readonly object[] => Array.from({ length: count }, make);
  return {
    ...(from > 0 && { from: list(from, () => ({ source: makeSource(random) })) }),
    ...(to > 0 && { to: list(to, () => ({ operation: makeFields(random, operationValues) })) }),
    ...(when > 0 && { when: list(when, () => makeCondition(random)) }),
  };
}

function makeSource(random: Random): object {
  const fields = makeFields(random, sourceValues);
  const names = Object.keys(fields);
  const isAccount = (name: string): boolean => /serviceAccounts/i.test(name);
  // They may not stand together.
  if (!names.some(isAccount) || !names.some((name) => /principals$|namespaces/i.test(name) && !/request/i.test(name)))
    return fields;
  return Object.fromEntries(Object.entries(fields).filter(([name]) => isAccount(name)));
}

function makeFields(
  random: Random,
  values: Readonly<Record<string, readonly string[]>>,
): Record<string, readonly string[]> {
  const fields: Record<string, readonly string[]> = {};
  for (const name of random.shuffled(Object.keys(values)).slice(0, 1 + random.below(2))) {
    const negated = random.below(4);
    if (negated !== 1) fields[name] = pickSome(random, values[name] ?? []);
    if (negated === 1 || negated === 2) fields[negatedName(name)] = pickSome(random, values[name] ?? []);
  }
  return fields;
}

function makeCondition(random: Random): object {
  const key = random.pick(Object.keys(whenValues));
  const negated = random.below(3);
  return {
    key,
    ...(negated !== 1 && { values: pickSome(random, whenValues[key] ?? []) }),
    ...(negated !== 0 && { notValues: pickSome(random, whenValues[key] ?? []) }),
  };
}

function pickSome(random: Random, values: readonly string[]): readonly string[] {
  return random.shuffled(values).slice(0, 1 + random.below(3));
}
