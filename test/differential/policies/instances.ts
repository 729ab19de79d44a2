import type { Random } from "../support/random.ts";
import { addressesAround } from "./addresses.ts";
import type { Constraint } from "./constraints.ts";
import type { Sketch } from "./sketch.ts";

/** Changes a sketch in one attribute. */
type Change = (sketch: Sketch) => Sketch;

/** What makes the attribute match a value, or just not. */
export function changesFor(
  random: Random,
  { attribute, namespace }: Constraint,
  value: string,
): { readonly matching: Change; readonly near: readonly Change[] } {
  switch (attribute) {
    case "source.principal":
      return peerChanges(random, spiffe(star(value)));
    case "source.namespace":
      return peerChanges(
        random,
        `spiffe://cluster.local/ns/${value.replaceAll("*", random.pick(["", "x", "/"]))}/sa/bar`,
      );
    case "source.serviceAccount":
      return peerChanges(random, accountId(random, value, namespace));
    case "source.trustDomain":
      return peerChanges(random, `spiffe://${value.replaceAll("*", random.pick(["x", "prod", ""]))}/ns/foo/sa/bar`);
    case "source.ip":
      return ipChanges(value, (ip) => (sketch) => (isOurs(ip) ? { ...sketch, directIp: ip } : sketch));
    case "destination.ip":
      return ipChanges(
        value,
        (ip) => (sketch) =>
          isNobody(ip) ? sketch : { ...sketch, destinationIp: ip, proxiedIp: sameFamily(ip, sketch.proxiedIp) },
      );
    case "remote.ip":
      return ipChanges(
        value,
        (ip) =>
          ({ forwardedFor: _, ...sketch }) =>
            random.chance(0.5) || isNobody(ip)
              ? { ...sketch, forwardedFor: ip }
              : { ...sketch, proxiedIp: ip, destinationIp: sameFamily(ip, sketch.destinationIp) },
      );
    case "destination.port":
      return portChanges(Number(value));
    case "connection.sni":
      return textChanges(random, octets(star(value)), (sni) => (sketch) => ({ ...sketch, transport: "tls", sni }));
    case "request.auth.principal":
      return principalChanges(random, value);
    case "path":
    case "request.headers[:path]":
      return pathChanges(random, value);
    case "method":
    case "request.headers[:method]":
      return methodChanges(star(value));
    case "host":
    case "request.headers[Host]":
    case "request.headers[:authority]":
      return textChanges(random, octets(star(value)), (host) => (sketch) => ({ ...sketch, host }));
    default:
      return attribute.startsWith("request.auth.")
        ? claimChanges(random, attribute, value)
        : headerChanges(random, attribute, value);
  }
}

/** A text that a value with a star matches. */
function star(value: string): string {
  if (value === "*") return "any";
  if (value.startsWith("*")) return `pre${value.slice(1)}`;
  return value.endsWith("*") ? `${value.slice(0, -1)}post` : value;
}

function spiffe(id: string): string {
  return `spiffe://${id}`;
}

function octets(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** One character off, another case, more before or after, less, nothing. */
function nearTexts(random: Random, text: string): readonly string[] {
  const at = random.below(Math.max(1, text.length));
  const swapped = text.slice(0, at) + (text[at] === "q" ? "z" : "q") + text.slice(at + 1);
  return [
    swapped,
    text.toUpperCase(),
    text.toLowerCase(),
    `${text}x`,
    `x${text}`,
    text.slice(0, -1),
    text.slice(1),
    `${text} x`,
    text + text,
  ];
}

function textChanges(random: Random, text: string, set: (text: string) => Change): ReturnType<typeof changesFor> {
  return { matching: set(text), near: nearTexts(random, text).map(set) };
}

function peerChanges(random: Random, text: string): ReturnType<typeof changesFor> {
  const id = octets(text);
  const set =
    (peer: string): Change =>
    (sketch) => ({ ...sketch, transport: "tls", peer });
  const none: Change = ({ peer: _, ...sketch }) => ({ ...sketch, transport: random.pick(["tls", "plaintext"]) });
  const around = [
    id.replace("foo", "\xff"),
    id.replace("bar", "b\xc3\xbcr"),
    `${id}\x80`,
    `\0${id}`,
    `${id}\0`,
    `${id}/more`,
    id.replace("/sa/", "/x/sa/"),
    id.replace("/ns/", "/ns/bar/ns/"),
    id.replace("spiffe:", "http:"),
    id.replace("cluster.local", "old.example"),
    `${id}\n`,
  ];
  return { matching: set(id), near: [none, ...[...nearTexts(random, id), ...around].map(set)] };
}

function accountId(random: Random, value: string, namespace: string): string {
  const slash = value.indexOf("/");
  const [ns, name] = slash < 0 ? [namespace, value] : [value.slice(0, slash), value.slice(slash + 1)];
  return random.pick([`spiffe://any.example/ns/${ns}/sa/${name}`, `spiffe://cluster.local/ns/${ns}/x/sa/${name}/y`]);
}

function ipChanges(block: string, set: (ip: string) => Change): ReturnType<typeof changesFor> {
  const { inside, outside } = addressesAround(block);
  const [first = "10.1.2.3", ...more] = inside;
  return { matching: set(first), near: [...more, ...outside].map(set) };
}

/** Addresses that Envoy takes from no PROXY protocol. */
function isNobody(ip: string): boolean {
  return /^(0\.0\.0\.0|255\.255\.255\.255|[0:]+|[f:]+)$/.test(ip);
}

/** Whether this machine can be a peer of that address. */
function isOurs(ip: string): boolean {
  return /^127\.(?!0\.0\.0$)(?!255\.255\.255$)/.test(ip) || ip === "0:0:0:0:0:0:0:1";
}

/** The PROXY protocol speaks of one family at a time. */
function sameFamily(ip: string, other: string): string {
  if (ip.includes(":") === other.includes(":")) return other;
  return ip.includes(":") ? "2001:db8::99" : "10.9.9.9";
}

/** Those that Envoy's parser of HTTP/1.1 takes; it answers others itself. */
const methods = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "PURGE", "PROPFIND", "MKCOL"];

function methodChanges(wanted: string): ReturnType<typeof changesFor> {
  const set =
    (method: string): Change =>
    (sketch) => ({ ...sketch, method });
  const like =
    methods.find((method) => method === wanted) ??
    methods.find((method) => method[0] === wanted[0] || method.at(-1) === wanted.at(-1)) ??
    "GET";
  return { matching: set(like), near: methods.map(set) };
}

function portChanges(port: number): ReturnType<typeof changesFor> {
  const set =
    (destinationPort: number): Change =>
    (sketch) => ({ ...sketch, destinationPort });
  return {
    matching: set(port),
    near: [port - 1, port + 1, 8081].filter((near) => near >= 0 && near <= 65_535).map(set),
  };
}

function pathChanges(random: Random, value: string): ReturnType<typeof changesFor> {
  const text = octets(
    star(value.replaceAll("{**}", random.pick(["a/b", "a", ""])).replaceAll("{*}", random.pick(["seg", "a.b", "a=b"]))),
  );
  const path = text.startsWith("/") ? text : `/${text}`;
  const set =
    (changed: string): Change =>
    (sketch) => ({ ...sketch, path: visiblePath(changed) });
  const at = 1 + random.below(Math.max(1, path.length - 1));
  const encodedAt = `${path.slice(0, at)}%${(path.charCodeAt(at) || 0x2f).toString(16).padStart(2, "0")}${path.slice(at + 1)}`;
  const around = [
    `${path}?q=1`,
    `${path}?`,
    `${path}/`,
    `${path}//x`,
    `/${path}`,
    `${path}/../x`,
    `/x/..${path}`,
    `${path};a=b`,
    encodedAt,
    `${path}%00`,
    `${path}#f`,
    `${path}?/items`,
    `/./${path.slice(1)}`,
    path.replaceAll("/", "%2F"),
    path.replaceAll("/", "%5c"),
    path.replaceAll("/", "\\"),
    `${path}|`,
    `${path}%c3%bc`,
    `${path}*`,
    `${path}"`,
    "*",
  ];
  return { matching: set(path), near: [...nearTexts(random, path), ...around].map(set) };
}

/** What may stand in the first line of a request. */
function visiblePath(text: string): string {
  const visible = text.replace(
    /[^\x21-\x7e]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return visible.startsWith("/") || visible === "*" ? visible : `/${visible}`;
}

/** Sets a claim at a path of names; everything else stays. */
function withClaim(sketch: Sketch, path: readonly string[], value: unknown): Sketch {
  const { claims = { iss: "https://idp.example", sub: "alice" } } = sketch;
  return { ...sketch, claims: setAt(claims, path, value) };
}

function setAt(
  object: Readonly<Record<string, unknown>>,
  [name = "", ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const inner = object[name];
  const isObject = typeof inner === "object" && inner !== null && !Array.isArray(inner);
  return {
    ...object,
    [name]: rest.length === 0 ? value : setAt(isObject ? (inner as Record<string, unknown>) : {}, rest, value),
  };
}

function claimChanges(random: Random, attribute: string, value: string): ReturnType<typeof changesFor> {
  const path = claimPath(attribute);
  const text = star(value);
  const set =
    (claim: unknown): Change =>
    (sketch) =>
      withClaim(sketch, path, claim);
  const shapes = [
    [text],
    ["other", text],
    [[text]],
    { [text]: text },
    7,
    true,
    null,
    [],
    "",
    [7, text],
    `${text} other`,
    `other ${text}`,
    [`${text} other`],
    ` ${text} `,
  ];
  const none: Change = ({ claims: _, ...sketch }) => sketch;
  return { matching: set(text), near: [none, ...[...nearTexts(random, text), ...shapes].map(set)] };
}

function claimPath(attribute: string): readonly string[] {
  if (attribute === "request.auth.audiences") return ["aud"];
  if (attribute === "request.auth.presenter") return ["azp"];
  const brackets = attribute.slice("request.auth.claims".length);
  return brackets === "[[x]]" ? ["[x]"] : brackets.slice(1, -1).split("][");
}

function principalChanges(random: Random, value: string): ReturnType<typeof changesFor> {
  const slash = value.lastIndexOf("/");
  const [issuer, subject] = slash < 0 ? [value, ""] : [value.slice(0, slash), value.slice(slash + 1)];
  const set =
    (iss: unknown, sub: unknown): Change =>
    (sketch) =>
      withClaim(withClaim(sketch, ["iss"], iss), ["sub"], sub);
  const known = random.pick(tokenIssuers);
  const none: Change = ({ claims: _, ...sketch }) => sketch;
  const near = [
    none,
    set(known, star(subject)),
    set(known, ""),
    set(known, undefined),
    set(known, "alice"),
    set(known, "bob"),
    set(known, `${star(subject)}x`),
    set(known, star(subject).toUpperCase()),
    set(star(issuer), `x${star(subject)}`),
    set("https://idp.example", "idp.example"),
    set("https:/", "idp.examplex"),
    set(star(issuer), star(subject).slice(0, -1)),
  ];
  const chosen = value === "*" ? set("https://idp.example", "anyone") : set(star(issuer), star(subject));
  return { matching: chosen, near };
}

/** All issuers whose tokens the workload accepts. */
export const tokenIssuers: readonly string[] = [
  "https://idp.example",
  "https://idp.example/",
  "https://other.example",
  "alice",
  "https:/",
  "any",
  "pre.example",
  "https://idppost",
  "pree",
  "pre",
  "apost",
  "https://idp.examplepost",
];

function headerChanges(random: Random, attribute: string, value: string): ReturnType<typeof changesFor> {
  const name = attribute.slice("request.headers[".length, -1);
  const text = octets(star(value));
  const others = (sketch: Sketch): Sketch["headers"] =>
    sketch.headers.filter(([other]) => other.toLowerCase() !== name.toLowerCase());
  const set =
    (...values: readonly string[]): Change =>
    (sketch) => ({
      ...sketch,
      headers: name.startsWith(":")
        ? sketch.headers
        : [
            ...others(sketch),
            ...values.map((one) => [random.chance(0.3) ? name.toUpperCase() : name, one.trim()] as const),
          ],
    });
  const near = [
    set(),
    set(""),
    set(text, "other"),
    set("other", text),
    set(text, text),
    set(`${text},other`),
    set(`other,${text}`),
    set("", text),
    set("other", "more"),
    set("blue", "red"),
    ...nearTexts(random, text).map((one) => set(one)),
  ];
  return { matching: set(text), near };
}
