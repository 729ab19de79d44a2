import type { JsonMap } from "./envoy-filter.ts";
import { type Matched, matcher, unusable } from "./matched.ts";
import { typeUrls } from "./names.ts";
import { endingWith, exactly, startingWith, stringMatcher } from "./string-matcher.ts";

/** Matches a header: a lone star asks whether it is there, even if empty. */
export function headerMatcher(
  name: string,
  value: string,
  { ignoreCase = false }: { readonly ignoreCase?: boolean } = {},
): Matched {
  // Envoy refuses these in names, and no request has such a header.
  if (name === "" || /[\0\r\n]/.test(name)) return unusable("no header can have that name");
  if (value === "*") return matcher({ header: { name, presentMatch: true } });
  return matcher({ header: { name, stringMatch: headerValue(value, ignoreCase) } });
}

function headerValue(value: string, ignoreCase: boolean): JsonMap {
  if (value.startsWith("*")) return endingWith(value.slice(1), ignoreCase);
  if (value.endsWith("*")) return startingWith(value.slice(0, -1), ignoreCase);
  return exactly(value, ignoreCase);
}

/** Matches a path without its query; one with `{*}` or `{**}` in it as a template. */
export function pathMatcher(value: string): Matched {
  if (!value.includes("{*}") && !value.includes("{**}")) return matcher({ urlPath: { path: stringMatcher(value) } });
  if (!isTemplateOfEnvoy(value)) return unusable("it is no path template that Envoy reads");
  const pathTemplate = value.replaceAll("{**}", "**").replaceAll("{*}", "*");
  const typedConfig = { "@type": typeUrls.uriTemplate, pathTemplate };
  return matcher({ uriTemplate: { name: "uri-template", typedConfig } });
}

const literalSegment = /^[A-Za-z0-9\-._~%!$&'()+,;:@=]+$/;

/** A slash, and segments that are `{*}`, one `{**}` or literals, with no operator after `{**}`. */
function isTemplateOfEnvoy(value: string): boolean {
  if (!value.startsWith("/")) return false;
  const segments = value.slice(1).split("/");
  const rest = segments.indexOf("{**}");
  return segments.every((segment, index) => {
    if (segment === "{*}" || segment === "{**}") return rest < 0 || index <= rest;
    return segment === "" ? index > 0 && index === segments.length - 1 : literalSegment.test(segment);
  });
}

/** Matches the port that the proxy received on. */
export function portMatcher(value: string): Matched {
  const port = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return port <= 65_535 ? matcher({ destinationPort: port }) : unusable("it is no port from 0 to 65535");
}
