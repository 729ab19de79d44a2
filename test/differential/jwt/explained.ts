import { isDeepStrictEqual } from "node:util";
import type { JwtRule } from "@signet/documents";
import type { RequestAuthenticationResult } from "@signet/request-auth";
import type { JwtOutcome } from "./ask-envoy.ts";
import type { JwtCase } from "./requests.ts";

/** A request that the two sides differ on. */
export type JwtDifference = {
  readonly asked: JwtCase;
  readonly ours: JwtOutcome;
  readonly result: RequestAuthenticationResult;
  readonly theirs: JwtOutcome;
};

/** A difference that is meant to be, and how it is told from every other. */
export type Explanation = {
  readonly name: string;
  /** What Envoy does, and what we do. */
  readonly why: string;
  applies(difference: JwtDifference): boolean;
};

/** All differences between Envoy's `jwt_authn` and our library, in profile "istio", that are deliberate. */
export const explanations: readonly Explanation[] = [
  {
    name: "algorithm of another family",
    why: "Envoy verifies with the key it finds whatever family `alg` is of; here an algorithm is bound to the type of key",
    applies: (difference) =>
      difference.asked.tokens.some(({ key, alg }) => familyOf(alg) !== key.family) && isStricter(difference),
  },
  {
    name: "JSON that is none",
    why: "Envoy's parser takes single quotes, bare names, stray commas and raw control characters; here that is invalid",
    applies: (difference) =>
      difference.asked.tokens.some(({ labels }) => labels.some((label) => label.endsWith("-json-loose"))) &&
      isStricter(difference),
  },
  {
    name: "null for an object",
    why: "Envoy takes a header or payload `null` for an empty object, and refuses for what it lacks; here it is no JSON object",
    applies: ({ asked, ours, theirs }) =>
      theirs.kind === "answered" &&
      theirs.status !== 503 &&
      ((refusesWith(ours, ["Jwt header is an invalid JSON"]) &&
        asked.tokens.some(({ text }) => partOf(text, 0) === "null")) ||
        (refusesWith(ours, ["Jwt payload is an invalid JSON"]) &&
          asked.tokens.some(({ text }) => partOf(text, 1) === "null"))),
  },
  {
    name: "line break in a claim for a header",
    why: "Envoy writes the header and then cannot send it: 503; here the header is left out",
    applies: ({ asked, result, ours, theirs }) =>
      ours.kind === "through" &&
      theirs.kind === "answered" &&
      theirs.status === 503 &&
      result.kind === "authenticated" &&
      asked.ruleSet.rules.flatMap(outputNames).some((name) => theirs.body === `invalid header value for: ${name}`) &&
      asked.tokens.some(({ text }) => /\\n|\\u00[01]|\p{Cc}/u.test(partOf(text, 1))),
  },
  {
    name: "query after a token was taken out",
    why: "Envoy sorts what is left and percent-decodes it for good; here it stays as it was",
    applies: ({ asked, ours, theirs }) => {
      const rewritten = rewrittenQueries(asked);
      // A parameter with a token has become another one, so that its token is not looked at.
      if (asked.tokens.length > 1 && asked.path.includes("%2520b="))
        return theirs.kind === "answered" || rewritten.has(theirs.path);
      if (ours.kind === "answered") return false;
      if (ours.path === asked.path) return false;
      if (theirs.kind === "answered") {
        return (
          theirs.status === 503 &&
          theirs.body === "invalid header value for: :path" &&
          [...rewritten].some((path) => !/^[\x21-\x7e]*$/.test(path))
        );
      }
      return (
        rewritten.has(theirs.path) &&
        isDeepStrictEqual(withSortedObjects({ ...ours, path: "" }), withSortedObjects({ ...theirs, path: "" }))
      );
    },
  },
  {
    name: "tokens taken away together",
    why: "Envoy takes a header away with the one token in it that a rule verified, and others with it; here each must be verified",
    applies: ({ asked, ours }) => ours.kind === "answered" && asked.ruleSet.rules.length > 1 && takesAwaySeveral(asked),
  },
  {
    name: "which of several tokens is heard",
    why: "where a header comes several times and is looked at with several prefixes, Envoy refuses for another of its tokens",
    applies: ({ asked, ours, theirs }) =>
      ours.kind === "answered" &&
      theirs.kind === "answered" &&
      [401, 403].includes(theirs.status) &&
      asked.ruleSet.rules.some((rule) => comesAndIsAskedTwice(headerPlaces(rule), asked)),
  },
  {
    name: "cookies taken away with their header",
    why: "where a rule looks for tokens in header `cookie`, Envoy takes all cookies away with them before another rule looks; here they are still seen",
    applies: ({ asked }) =>
      asked.tokens.length > 1 &&
      asked.ruleSet.rules.some(
        (rule) => !rule.forwardOriginalToken && headerPlaces(rule).some(({ name }) => name === "cookie"),
      ) &&
      asked.ruleSet.rules.some(({ fromCookies }) => fromCookies.length > 0) &&
      asked.headers.some(([name]) => name.toLowerCase() === "cookie"),
  },
  {
    name: "headers of a rule that refused",
    why: "Envoy leaves what a rule wrote for one token when it refuses another; here only the rule that accepted all writes",
    applies: ({ asked, result, ours, theirs }) => {
      if (
        result.kind !== "authenticated" ||
        ours.kind !== "through" ||
        theirs.kind !== "through" ||
        asked.tokens.length < 2
      )
        return false;
      const others = new Set(asked.ruleSet.rules.filter((rule) => rule !== result.rule).flatMap(outputNames));
      const without = (outcome: typeof ours): unknown =>
        withSortedObjects({
          ...outcome,
          path: outcome === theirs && rewrittenQueries(asked).has(theirs.path) ? ours.path : outcome.path,
          headers: new Map([...outcome.headers].filter(([name]) => !others.has(name))),
        });
      return isDeepStrictEqual(without(ours), without(theirs));
    },
  },
  {
    name: "order of members in an object for a header",
    why: "Envoy writes the members of an object in the order of a hash table; here they stay as in the token",
    applies: ({ ours, theirs }) =>
      ours.kind === "through" &&
      theirs.kind === "through" &&
      isDeepStrictEqual(withSortedObjects(ours), withSortedObjects(theirs)),
  },
];

/** Whether we refuse; where there are several tokens or rules, another one may be heard instead. */
function isStricter({ asked, ours, theirs }: JwtDifference): boolean {
  return (
    asked.tokens.length > 1 ||
    (ours.kind === "answered" &&
      (theirs.kind === "through" || theirs.status !== ours.status || theirs.body !== ours.body))
  );
}

function refusesWith(outcome: JwtOutcome, bodies: readonly string[]): boolean {
  return outcome.kind === "answered" && outcome.status === 401 && bodies.includes(outcome.body);
}

/** A part of a token as text. */
function partOf(token: string, index: number): string {
  return Buffer.from(token.split(".").filter((part) => part !== "")[index] ?? "", "base64url").toString("latin1");
}

function familyOf(alg: string): string | undefined {
  if (alg === "EdDSA") return "OKP";
  return new Map([
    ["RS", "RSA"],
    ["PS", "RSA"],
    ["ES", "EC"],
    ["HS", "oct"],
  ]).get(alg.slice(0, 2));
}

/** Whether a rule takes away a header in which several tokens are found: it came several times, or is looked at with several prefixes. */
function takesAwaySeveral({ headers, ruleSet }: JwtCase): boolean {
  const places = ruleSet.rules.flatMap((rule) =>
    headerPlaces(rule).map((place) => ({ ...place, taken: !rule.forwardOriginalToken })),
  );
  return places.some(({ name, taken }) => {
    const came = headers.filter(([other]) => other.toLowerCase() === name).length;
    const prefixes = new Set(places.filter((place) => place.name === name).map(({ prefix }) => prefix)).size;
    return taken && came > 0 && (came > 1 || prefixes > 1);
  });
}

function comesAndIsAskedTwice(places: readonly { readonly name: string }[], { headers }: JwtCase): boolean {
  return places.some(
    ({ name }) =>
      headers.filter(([other]) => other.toLowerCase() === name).length > 1 &&
      places.filter((place) => place.name === name).length > 1,
  );
}

function headerPlaces({ fromHeaders, fromParams, fromCookies }: JwtRule): readonly { name: string; prefix: string }[] {
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0)
    return [{ name: "authorization", prefix: "Bearer " }];
  return fromHeaders.map(({ name, prefix }) => ({ name: name.toLowerCase(), prefix }));
}

function outputNames(rule: JwtRule): readonly string[] {
  return [rule.outputPayloadToHeader ?? "", ...rule.outputClaimToHeaders.map(({ header }) => header)].map((name) =>
    name.toLowerCase(),
  );
}

/** What a query can have become when Envoy has taken some of its parameters out, one after the other. */
function rewrittenQueries({ path, ruleSet }: JwtCase): ReadonlySet<string> {
  const places = ruleSet.rules.flatMap(({ fromHeaders, fromParams, fromCookies }) =>
    fromHeaders.length + fromParams.length + fromCookies.length === 0 ? ["access_token"] : fromParams,
  );
  const names = [...new Set(places.map((name) => Buffer.from(name, "utf8").toString("latin1")))].sort().reverse();
  let reached = [path];
  for (const name of names) reached = reached.flatMap((from) => [from, withoutParam(from, name)]);
  return new Set(reached);
}

function withoutParam(path: string, unwanted: string): string {
  const at = path.indexOf("?");
  if (at === -1) return path;
  const params = path
    .slice(at + 1)
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair): readonly [string, string] => {
      const equals = pair.indexOf("=");
      return equals === -1 ? [decoded(pair), ""] : [decoded(pair.slice(0, equals)), decoded(pair.slice(equals + 1))];
    });
  const kept = params.filter(([name]) => name !== unwanted).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return kept.length === 0 ? path.slice(0, at) : `${path.slice(0, at)}?${kept.map((pair) => pair.join("=")).join("&")}`;
}

function decoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** The same with objects in base64 as values of which the order of members says nothing. */
function withSortedObjects(outcome: Extract<JwtOutcome, { kind: "through" }>): unknown {
  return { ...outcome, headers: new Map([...outcome.headers].map(([name, values]) => [name, values.map(asObject)])) };
}

function asObject(value: string): unknown {
  const text = Buffer.from(value, "base64").toString("utf8");
  if (!text.startsWith("{") && !text.startsWith("[")) return value;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return value;
  }
}
