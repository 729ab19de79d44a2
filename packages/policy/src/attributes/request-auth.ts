import type { Facts } from "../facts.ts";
import { starPattern, type TextPattern, textTest } from "../match/text-pattern.ts";
import type { Dimension, IndexKey } from "../rules/index-key.ts";
import type { Attribute } from "./attribute.ts";
import { type AttributeEdit, claimEdit, withValue } from "./attribute-edit.ts";
import { patternKeys } from "./pattern-keys.ts";

/** `request.auth.claims[A][B]`, `request.auth.audiences` and `request.auth.presenter`: a text, or a list that holds one. */
export function requestClaim(path: readonly string[], title: string = `claim ${path.join(".")}`): Attribute {
  return {
    title,
    cost: 3,
    httpOnly: true,
    edit: claimEdit(path),
    read: (facts) => facts.claim(path),
    compile: (values) => {
      const patterns = values.map((value) => starPattern(value.toWellFormed(), "unicode"));
      const matches = textTest(patterns);
      const dimension: Dimension = {
        kind: "text",
        id: `claim ${JSON.stringify(path)}`,
        read: (facts) => facts.claim(path),
      };
      return { test: (facts) => textOrListMatches(facts.claim(path), matches), ...patternKeys(patterns, dimension) };
    },
  };
}

function textOrListMatches(value: unknown, matches: (text: string) => boolean): boolean {
  if (typeof value === "string") return matches(value);
  if (!Array.isArray(value)) return false;
  for (const element of value) {
    if (typeof element === "string" && matches(element)) return true;
  }
  return false;
}

const issuerDimension: Dimension = { kind: "text", id: "issuer", read: (facts) => textClaim(facts, "iss") };
const subjectDimension: Dimension = { kind: "text", id: "subject", read: (facts) => textClaim(facts, "sub") };

/** `requestPrincipals` and `request.auth.principal`: issuer and subject, cut at the last slash. */
export const requestPrincipal: Attribute = {
  title: "request principal",
  cost: 4,
  edit: requestPrincipalEdit(),
  httpOnly: true,
  read: (facts) => {
    const [issuer, subject] = [textClaim(facts, "iss"), textClaim(facts, "sub")];
    return issuer === undefined || subject === undefined ? undefined : `${issuer}/${subject}`;
  },
  compile: (values) => {
    const pairs = values.map((value) => principalPatterns(value.toWellFormed()));
    const tests = pairs.map(({ issuer, subject }) => ({ issuer: textTest([issuer]), subject: textTest([subject]) }));
    return {
      test: (facts) => {
        const [issuer, subject] = [textClaim(facts, "iss"), textClaim(facts, "sub")];
        if (issuer === undefined || subject === undefined) return false;
        return tests.some((test) => test.issuer(issuer) && test.subject(subject));
      },
      ...principalKeys(pairs),
    };
  },
};

/** Issuer and subject at once. */
function requestPrincipalEdit(): AttributeEdit {
  const pair = (issuer: string, subject: string): readonly [string, string] => [issuer, subject];
  return {
    target: "request principal",
    like: (values) =>
      values.map((value) => {
        const { issuer, subject } = principalPatterns(value.toWellFormed());
        return pair(textLike(issuer), textLike(subject));
      }),
    unlike: [undefined, pair("https://signet-other.invalid", "signet-other")],
    apply: (request, value) => {
      if (request.kind !== "http") return request;
      const [issuer, subject]: readonly unknown[] = Array.isArray(value) ? value : [];
      const payload = withValue(withValue(request.jwtPayload ?? {}, ["iss"], issuer), ["sub"], subject);
      return { ...request, jwtPayload: payload };
    },
  };
}

function textLike(pattern: TextPattern): string {
  if (pattern.kind === "suffix") return `x${pattern.text}`;
  return pattern.kind === "exact" || pattern.kind === "prefix" ? pattern.text : "x";
}

function textClaim(facts: Facts, name: string): string | undefined {
  const value = facts.claim([name]);
  return typeof value === "string" ? value : undefined;
}

type PrincipalPatterns = { readonly issuer: TextPattern; readonly subject: TextPattern };

const someText: TextPattern = { kind: "some-text", unicode: true };

/** A star at the start belongs to the issuer if there is a slash, else to the subject; one at the end the other way round. */
function principalPatterns(value: string): PrincipalPatterns {
  const slash = value.lastIndexOf("/");
  const issuer = slash < 0 ? value : value.slice(0, slash);
  const subject = slash < 0 ? "" : value.slice(slash + 1);
  if (value === "*") return { issuer: someText, subject: someText };
  if (value.startsWith("*")) {
    if (slash < 0) return { issuer: someText, subject: { kind: "suffix", text: value.slice(1) } };
    const pattern: TextPattern = issuer === "*" ? someText : { kind: "suffix", text: issuer.slice(1) };
    return { issuer: pattern, subject: { kind: "exact", text: subject } };
  }
  if (value.endsWith("*")) {
    if (slash < 0) return { issuer: { kind: "prefix", text: value.slice(0, -1) }, subject: someText };
    const pattern: TextPattern = subject === "*" ? someText : { kind: "prefix", text: subject.slice(0, -1) };
    return { issuer: { kind: "exact", text: issuer }, subject: pattern };
  }
  return { issuer: { kind: "exact", text: issuer }, subject: { kind: "exact", text: subject } };
}

function principalKeys(pairs: readonly PrincipalPatterns[]): { readonly keys?: readonly IndexKey[] } {
  const keys = pairs.flatMap(({ issuer, subject }) => {
    const bySubject = subject.kind === "exact" ? patternKeys([subject], subjectDimension).keys : undefined;
    return (
      bySubject ?? patternKeys([issuer], issuerDimension).keys ?? patternKeys([subject], subjectDimension).keys ?? []
    );
  });
  return keys.length === pairs.length ? { keys } : {};
}
