import type { JwtRule } from "@signet/documents";
import type { RawHeaders } from "../support/http1.ts";
import type { Random } from "../support/random.ts";
import { cookieNames, headerNames, paramNames, type RuleSet } from "./rule-sets.ts";
import { type MadeToken, makeToken, type TokenForge } from "./tokens.ts";

/** A request of the differential; text is one character per octet. */
export type JwtCase = {
  readonly ruleSet: RuleSet;
  readonly method: string;
  readonly path: string;
  readonly headers: RawHeaders;
  readonly http2: boolean;
  /** What is unusual about it, defects of its tokens included. */
  readonly labels: readonly string[];
  readonly tokens: readonly MadeToken[];
};

type Place = { readonly kind: "header" | "param" | "cookie"; readonly name: string; readonly prefix: string };

/** A request in the making. */
type Draft = {
  readonly headers: (readonly [string, string])[];
  readonly params: string[];
  readonly cookies: string[];
  readonly labels: string[];
  readonly tokens: MadeToken[];
};

/** Makes a request for a set of rules: mostly with one token where a rule looks for it. */
export function makeRequest(forge: TokenForge, ruleSet: RuleSet): JwtCase {
  const { random } = forge;
  const draft: Draft = { headers: [], params: [], cookies: [], labels: [], tokens: [] };
  const count = random.weighted([
    [1, () => 0],
    [14, () => 1],
    [4, () => 2],
    [1, () => 3],
  ]);
  for (let made = 0; made < count; made++) placeToken(forge, ruleSet, draft);
  if (random.chance(0.15)) repeatSomething(forge, ruleSet, draft);
  addNoise(forge, ruleSet, draft);
  const preflight = random.chance(0.04);
  if (preflight) addPreflight(forge, draft);
  const { headers, params, cookies, labels, tokens } = draft;
  if (cookies.length > 0) headers.push(...cookieHeaders(forge, cookies));
  const target = random.pick(["/", "/cart", "/a/b%20c", `/${"p".repeat(280)}`]);
  const query =
    params.length === 0 ? random.pick(["", "", "", "?", "?a=b&c"]) : `?${random.shuffled(params).join("&")}`;
  const path = target + query;
  const sent = random.shuffled(headers).map(([name, value]): readonly [string, string] => [name, trim(value)]);
  const http2 = random.chance(0.2) && isForHttp2(sent, path);
  return {
    ruleSet,
    method: preflight || random.chance(0.02) ? "OPTIONS" : random.pick(["GET", "GET", "POST", "DELETE"]),
    path,
    headers: http2 ? withOneCookieHeader(sent) : sent,
    http2,
    labels: [...labels, ...tokens.flatMap((token) => token.labels)],
    tokens,
  };
}

/** Node's client has its own opinion on these. */
function isForHttp2(headers: RawHeaders, path: string): boolean {
  const names = headers.map(([name]) => name.toLowerCase());
  const repeated = names.filter((name, at) => names.indexOf(name) !== at && name !== "cookie");
  const isText = (text: string): boolean => /^[\t\x20-\x7e]*$/.test(text);
  return repeated.length === 0 && headers.every(([, value]) => isText(value)) && isText(path);
}

/** RFC 9113 section 8.2.3: what a server makes of several before anyone looks at them. */
function withOneCookieHeader(headers: RawHeaders): RawHeaders {
  const cookies = headers.flatMap(([name, value]) => (name.toLowerCase() === "cookie" ? [value] : []));
  if (cookies.length < 2) return headers;
  return [...headers.filter(([name]) => name.toLowerCase() !== "cookie"), ["cookie", cookies.join("; ")]];
}

/** What every HTTP/1.1 parser takes off a value. */
function trim(value: string): string {
  return value.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
}

function placesOf(rule: JwtRule): readonly Place[] {
  const places: readonly Place[] = [
    ...rule.fromHeaders.map(({ name, prefix }) => ({ kind: "header", name, prefix }) as const),
    ...rule.fromParams.map((name) => ({ kind: "param", name, prefix: "" }) as const),
    ...rule.fromCookies.map((name) => ({ kind: "cookie", name, prefix: "" }) as const),
  ];
  if (places.length > 0) return places;
  return [
    { kind: "header", name: "Authorization", prefix: "Bearer " },
    { kind: "header", name: "Authorization", prefix: "Bearer " },
    { kind: "param", name: "access_token", prefix: "" },
  ];
}

function placeToken(forge: TokenForge, ruleSet: RuleSet, draft: Draft): void {
  const { random } = forge;
  const token = makeToken(forge, ruleSet);
  draft.tokens.push(token);
  // Where the rule looks, where another one does, or where none may.
  const place = random.weighted<Place>([
    [10, () => random.pick(placesOf(token.rule))],
    [2, () => random.pick(placesOf(random.pick(ruleSet.rules)))],
    [
      1,
      () => ({
        kind: random.pick(["header", "param", "cookie"]),
        name: random.pick([...headerNames, ...paramNames, ...cookieNames].filter((name) => /^[a-zA-Z_-]+$/.test(name))),
        prefix: "Bearer ",
      }),
    ],
  ]);
  put(forge, { place, text: octetsOf(token.text) }, draft);
}

function put(
  { random }: TokenForge,
  { place, text }: { readonly place: Place; readonly text: string },
  draft: Draft,
): void {
  const { kind, name, prefix } = place;
  if (kind === "header") {
    const [label, value] = headerValue(random, random.chance(0.2), { prefix: octetsOf(prefix), text });
    if (label !== undefined) draft.labels.push(label);
    draft.headers.push([random.chance(0.3) ? name.toUpperCase() : name, value]);
  } else if (kind === "param") {
    draft.params.push(`${encodeParam(name)}=${random.chance(0.15) ? percentEncoded(text) : encodeParam(text)}`);
  } else {
    draft.cookies.push(`${octetsOf(name)}=${random.chance(0.1) ? `"${text}"` : text}`);
  }
}

function headerValue(
  random: Random,
  junk: boolean,
  { prefix, text }: { readonly prefix: string; readonly text: string },
): readonly [label: string | undefined, value: string] {
  if (!junk) return [undefined, prefix + text];
  return random.pick<readonly [string, string]>([
    ["junk-after", `${prefix}${text},junk`],
    ["junk-after", `${prefix}${text}, ${prefix}${text}`],
    ["junk-after", `${prefix}${text} more`],
    ["junk-after", `${prefix}${text};q=1`],
    ["junk-before", `junk ${prefix}${text}`],
    ["junk-before", `Basic abc, ${prefix}${text}`],
    ["junk-before", `${prefix}${prefix}${text}`],
    ["junk-between", `${prefix} ${text}`],
    ["junk-between", `${prefix}\t=@${text}`],
    ["junk-between", `${prefix}"${text}"`],
    ["prefix-case", `${prefix.toLowerCase()}${text}`],
    ["prefix-case", `${prefix.toUpperCase()}${text}`],
    ["prefix-absent", text],
    ["prefix-other", `Basic ${text}`],
    ["prefix-alone", prefix],
    ["prefix-alone", `${prefix}!!!`],
    ["prefix-alone", `${prefix}.`],
    ["opaque", `${prefix}0123456789abcdef`],
    ["empty", ""],
  ]);
}

function encodeParam(text: string): string {
  return [...text]
    .map((character) => (/[A-Za-z0-9._~-]/.test(character) ? character : percentEncoded(character)))
    .join("");
}

function percentEncoded(text: string): string {
  return [...Buffer.from(text, "utf8")].map((octet) => `%${octet.toString(16).padStart(2, "0")}`).join("");
}

function octetsOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function repeatSomething(forge: TokenForge, ruleSet: RuleSet, draft: Draft): void {
  const { random } = forge;
  draft.labels.push("repeated");
  const [header] = draft.headers;
  const [param] = draft.params;
  const [cookie] = draft.cookies;
  if (header !== undefined) {
    const [name, value] = header;
    const token = makeToken(forge, ruleSet);
    const other = octetsOf(token.text);
    const prefix = random.pick(ruleSet.rules.flatMap(placesOf)).prefix;
    const again = random.pick([value, `${octetsOf(prefix)}${other}`, "", "junk", "Basic abc"]);
    if (again.includes(other)) draft.tokens.push(token);
    draft.headers.push([name, again]);
  } else if (param !== undefined) {
    draft.params.push(random.pick([param, `${param.split("=")[0]}=junk`, `${param.split("=")[0]}`]));
  } else if (cookie !== undefined) {
    draft.cookies.push(random.pick([cookie, `${cookie.split("=")[0]}=junk`]));
  }
}

/** Headers that rules write, sent by the client, and things that only look like something. */
function addNoise({ random }: TokenForge, { rules }: RuleSet, draft: Draft): void {
  const written = rules.flatMap(({ outputPayloadToHeader, outputClaimToHeaders }) => [
    ...(outputPayloadToHeader === undefined ? [] : [outputPayloadToHeader]),
    ...outputClaimToHeaders.map(({ header }) => header),
  ]);
  for (const name of random.some(written, 0.25)) {
    draft.labels.push("spoofed");
    draft.headers.push([random.chance(0.5) ? name.toUpperCase() : name, random.pick(["spoofed", "", "admin"])]);
  }
  if (random.chance(0.1))
    draft.headers.push([random.pick(headerNames), random.pick(["Basic abc", "x", "Bearer opaque", "a=b; c=d"])]);
  if (random.chance(0.15))
    draft.params.push(
      random.pick(
        ["a=b", "b", "=x", "token", "x=1%2", "x=%zz", "a%26b=c%3Dd", "a+b=c+d", "x=%00", "a=b=c"].map(octetsOf),
      ),
    );
  if (random.chance(0.1)) draft.cookies.push(random.pick(["theme=dark", "bare", "=x", "a=b=c", 'q="x', " lead=1"]));
  if (random.chance(0.03))
    draft.headers.push(["x-envoy-original-path", random.pick(["/original?x=1", "", "/é"].map(octetsOf))]);
}

function addPreflight({ random }: TokenForge, draft: Draft): void {
  draft.labels.push("preflight");
  const headers: readonly (readonly [string, string])[] = [
    ["Origin", random.pick(["https://shop.example", "null", ""])],
    ["Access-Control-Request-Method", random.pick(["GET", "", "x"])],
  ];
  draft.headers.push(...random.some(headers, 0.85));
}

function cookieHeaders({ random }: TokenForge, cookies: readonly string[]): readonly (readonly [string, string])[] {
  if (random.chance(0.15)) return cookies.map((cookie) => ["cookie", cookie]);
  return [["Cookie", cookies.join(random.pick(["; ", "; ", ";", ";  "]))]];
}
