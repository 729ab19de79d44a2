import { parseIpBlock } from "../match/ip-address.ts";
import { hasHostBits, isMappedIPv4 } from "./address-block.ts";
import { allFacets, type Facet, type RuleFacets } from "./facet.ts";
import { failsOpen, type LintContext } from "./lint-context.ts";
import { type Place, quote, type Remark, type Report } from "./lint-finding.ts";
import { checkPath, checkPathSlashes } from "./path-checks.ts";
import { covers } from "./value-pattern.ts";

/** Says which values of rules match nothing, or something else than they look like. */
export function checkValues(context: LintContext, report: Report): void {
  for (const rule of context.rules) {
    for (const facet of allFacets(rule)) {
      const place = (path: string): Place => ({ document: rule.policy, path, position: facet.position });
      for (const remark of remarksOnList(rule, facet, context)) report(place(facet.path), remark);
      for (const [index, value] of facet.values.entries()) {
        const remark = remarkOnValue(value, facet, context);
        if (remark !== undefined) report(place(`${facet.path}[${index}]`), withSeverity(remark, rule, facet));
      }
    }
  }
}

/** What never matches is an error where it lets in, and a warning where it shuts out. */
export function withSeverity(remark: Remark, { policy }: RuleFacets, { negative }: Facet): Remark {
  const { severity } = remark;
  if (severity !== undefined || !failsOpen(policy, negative)) return remark;
  return { ...remark, severity: "error" };
}

function remarkOnValue(value: string, facet: Facet, context: LintContext): Remark | undefined {
  const { attribute } = facet;
  const literal = literalStar(attribute, value);
  if (literal !== undefined) return literal;
  if (attribute === "operation.path") return checkPath(value, context.meshConfig?.pathNormalization);
  if (attribute === "operation.method") return checkMethod(value);
  if (attribute === "operation.host") return checkHost(value);
  if (attribute.endsWith(".ip")) return checkAddress(value);
  if (attribute.startsWith("request.auth.claims[")) return checkClaim(value, attribute, context);
  return undefined;
}

/** Attributes whose values know no stars, or know them everywhere. */
const withoutStars: ReadonlySet<string> = new Set([
  ...["source.ip", "remote.ip", "destination.ip", "destination.port", "source.namespace", "source.serviceAccount"],
]);

function literalStar(attribute: string, value: string): Remark | undefined {
  if (withoutStars.has(attribute) || /\{\*\*?\}/.test(value)) return undefined;
  const rest = value.startsWith("*") ? value.slice(1) : value.endsWith("*") ? value.slice(0, -1) : value;
  // An issuer may begin with a star, and then a subject does not end with one.
  if (!rest.includes("*")) return undefined;
  return {
    id: "star-is-literal",
    reason: `${quote(value)} has a star where it stands for itself: only one at the beginning, or else one at the end, stands for anything`,
    fix:
      attribute === "operation.path"
        ? "use a path template, in which {*} is one segment and {**} any number of them"
        : "write one value for each case, with a star at one end",
  };
}

function checkMethod(value: string): Remark | undefined {
  if (value === value.toUpperCase()) return undefined;
  return {
    id: "method-case",
    reason: `methods are compared as they are, and no request has the method ${quote(value)}`,
    fix: `write ${quote(value.toUpperCase())}`,
  };
}

function checkHost(value: string): Remark | undefined {
  if (!/[/@\s?#]/.test(value)) return undefined;
  return {
    id: "host-syntax",
    reason: `${quote(value)} is compared with the Host header, which has no scheme, path, user or space`,
    fix: "write the host alone, with its port if it has one",
  };
}

function checkAddress(value: string): Remark | undefined {
  const block = parseIpBlock(value);
  if (block === undefined) return undefined;
  if (isMappedIPv4(block)) {
    return {
      id: "ip-family",
      reason: `${quote(value)} is IPv4 written as IPv6, and peers of IPv4 are told by their IPv4 addresses`,
      fix: "write the IPv4 address",
    };
  }
  if (!hasHostBits(block)) return undefined;
  return {
    id: "cidr-host-bits",
    severity: "note",
    reason: `of ${quote(value)} only the first ${block.prefixLength} bits count, and more are written`,
    fix: "write the first address of the range, or a longer prefix if a smaller range is meant",
  };
}

function checkClaim(value: string, attribute: string, context: LintContext): Remark | undefined {
  const claim = attribute.slice("request.auth.claims[".length, -1);
  const lists = new Set(["scope", "permission"]);
  for (const { jwtRules } of context.requestAuthentications) {
    for (const name of jwtRules.flatMap(({ spaceDelimitedClaims }) => spaceDelimitedClaims)) lists.add(name);
  }
  if (lists.has(claim) && value.includes(" ")) {
    return {
      id: "claim-never-matches",
      reason: `the claim ${quote(claim)} is split at its spaces, and none of its parts is ${quote(value)}`,
      fix: "list the parts; for all of them at once, one condition each",
    };
  }
  if (!/^(true|false|null|-?\d+(\.\d+)?)$/.test(value)) return undefined;
  return {
    id: "claim-not-text",
    severity: "note",
    reason: `only text is matched: a token in which ${quote(claim)} is ${value} without quotes does not match`,
    fix: "have the issuer write it as text, or use the option typedClaims of request authentication",
  };
}

function remarksOnList(rule: RuleFacets, facet: Facet, context: LintContext): readonly Remark[] {
  const { attribute } = facet;
  const opens = failsOpen(rule.policy, facet.negative);
  const remarks: Remark[] = [];
  if (attribute === "operation.host") remarks.push(...checkPorts(facet, opens));
  if (attribute === "operation.path" && opens) {
    remarks.push(...checkPathSlashes(facet.values, context.meshConfig?.pathNormalization));
  }
  if (attribute.startsWith("request.headers[")) remarks.push(...checkHeaderName(attribute));
  if (attribute.startsWith("experimental.") && attribute.split("[").length > 2) {
    remarks.push({
      id: "metadata-key",
      reason: `${quote(attribute)} names one key, brackets and all, and not one within another`,
      fix: "have the filter that writes the metadata put it at the top",
    });
  }
  return remarks.map((remark) => withSeverity(remark, rule, facet));
}

function checkPorts({ values }: Facet, opens: boolean): readonly Remark[] {
  const bare = values.filter((value) => !value.endsWith("*") && !/:\d*$/.test(value) && !/[/@\s?#]/.test(value));
  // Port 9 is any port that nobody lists on purpose: a value that covers it covers them all.
  const lacking = bare.filter((value) => !values.some((other) => coversPort(other, value)));
  const [first] = lacking;
  if (first === undefined) return [];
  const names = lacking.slice(0, 3).map(quote).join(", ");
  return [
    {
      id: "host-without-port",
      reason: `the port is part of a host: ${names} ${lacking.length > 1 ? "do" : "does"} not match with one, such as ${quote(`${first.replace(/^\*/, "a")}:8080`)}${opens ? ", which is how to get around this" : ""}`,
      fix: first.startsWith("*") ? `add ${quote(`${first}:<port>`)} for each port` : `add ${quote(`${first}:*`)}`,
    },
  ];
}

function coversPort(other: string, value: string): boolean {
  if (value.startsWith("*")) return other === "*" || other.startsWith(`${value}:`);
  return covers("operation.host", other, `${value}:9`) || other.startsWith(`${value}:`);
}

function checkHeaderName(attribute: string): readonly Remark[] {
  const name = attribute.slice("request.headers[".length, -1);
  if (/^:?[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) return [];
  return [
    {
      id: "header-name",
      reason: `${quote(name)} is the name of no header, so that no request has it`,
      fix: "write the name of one header",
    },
  ];
}
