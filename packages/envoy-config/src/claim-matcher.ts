import type { JsonMap } from "./envoy-filter.ts";
import { type Matched, matcher, unusable } from "./matched.ts";
import { filterNames, jwtPayloadKey } from "./names.ts";
import { endingWith, exactly, nonEmpty, startingWith, stringMatcher } from "./string-matcher.ts";

/** Matches claims `iss` and `sub` against each value, which the last slash in it divides; one must match. */
export function requestPrincipalMatcher(values: readonly string[]): JsonMap {
  const each = values.map((value): JsonMap => {
    const { issuer, subject } = splitRequestPrincipal(value);
    return { andIds: { ids: [claim("iss", issuer), claim("sub", subject)] } };
  });
  const [only] = each;
  return each.length === 1 && only !== undefined ? only : { orIds: { ids: each } };
}

function claim(name: string, stringMatch: JsonMap): JsonMap {
  return { metadata: { ...jwtMetadata([name]), value: { stringMatch } } };
}

type IssuerAndSubject = { readonly issuer: JsonMap; readonly subject: JsonMap };

function splitRequestPrincipal(value: string): IssuerAndSubject {
  const slash = value.lastIndexOf("/");
  const [issuer, subject] = slash < 0 ? [value, ""] : [value.slice(0, slash), value.slice(slash + 1)];
  if (value === "*") return { issuer: nonEmpty, subject: nonEmpty };
  if (value.startsWith("*")) {
    if (slash < 0) return { issuer: nonEmpty, subject: endingWith(value.slice(1)) };
    // A star at the end of this subject is itself.
    return { issuer: issuer === "*" ? nonEmpty : endingWith(issuer.slice(1)), subject: exactly(subject) };
  }
  if (value.endsWith("*")) {
    if (slash < 0) return { issuer: startingWith(value.slice(0, -1)), subject: nonEmpty };
    return { issuer: exactly(issuer), subject: subject === "*" ? nonEmpty : startingWith(subject.slice(0, -1)) };
  }
  return { issuer: exactly(issuer), subject: exactly(subject) };
}

/** Matches a claim that is one of the values, or a list that holds one. */
export function claimMatcher(path: readonly string[], values: readonly string[]): Matched {
  if (path.length === 0 || path.includes("")) return unusable("Envoy knows no claim without a name");
  const value = anyOf(values.map((text) => ({ stringMatch: stringMatcher(text) })));
  return matcher({
    metadata: { ...jwtMetadata(path), value: { orMatch: { valueMatchers: [{ listMatch: { oneOf: value } }, value] } } },
  });
}

function jwtMetadata(path: readonly string[]): JsonMap {
  return { filter: filterNames.jwtAuthn, path: [jwtPayloadKey, ...path].map((key) => ({ key })) };
}

/** Matches metadata that another filter has left; a value written `[v]` matches a list with v in it. */
export function metadataMatcher(filter: string, key: string, values: readonly string[]): Matched {
  if (key === "") return unusable("Envoy knows no metadata without a key");
  const each = values.map((text): JsonMap => {
    if (!text.startsWith("[") || !text.endsWith("]")) return { stringMatch: stringMatcher(text) };
    return { listMatch: { oneOf: { stringMatch: stringMatcher(trimBrackets(text)) } } };
  });
  return matcher({ metadata: { filter, path: [{ key }], value: anyOf(each) } });
}

function anyOf(matchers: readonly JsonMap[]): JsonMap {
  const [only] = matchers;
  return matchers.length === 1 && only !== undefined ? only : { orMatch: { valueMatchers: matchers } };
}

/** Takes off all of them, at both ends, of either kind. */
function trimBrackets(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && "[]".includes(text.charAt(start))) start += 1;
  while (end > start && "[]".includes(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/**
 * Returns the path to a claim that brackets such as `[a][b.c]` spell; undefined where there are none around it. Brackets within
 * brackets are part of the name of one claim.
 */
export function claimPath(brackets: string): readonly string[] | undefined {
  if (!brackets.startsWith("[") || !brackets.endsWith("]")) return undefined;
  const inner = brackets.slice(1, -1);
  const names = inner.split("][");
  return names.some((name) => name.includes("[") || name.includes("]")) ? [inner] : names;
}
