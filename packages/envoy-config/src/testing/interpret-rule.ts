import { joinedHeaderValues } from "@signet/documents";
import type { AuthorizationRequest, HttpAuthorizationRequest } from "@signet/policy";
import type { Json } from "../envoy-filter.ts";
import { matchesRange } from "./interpret-address.ts";
import { entriesOf, fieldsOf, matchesText, octets } from "./interpret-text.ts";

/** Whether a `Permission` or a `Principal` of proto JSON matches a request, as Envoy says of each field. */
export function matchesRule(rule: Json, request: AuthorizationRequest): boolean {
  const [kind, value] = onlyField(rule);
  const each = (list: string): readonly Json[] => entriesOf(fieldsOf(value)[list]);
  switch (kind) {
    case "any":
      return value === true;
    case "andRules":
      return each("rules").every((one) => matchesRule(one, request));
    case "orRules":
      return each("rules").some((one) => matchesRule(one, request));
    case "andIds":
      return each("ids").every((one) => matchesRule(one, request));
    case "orIds":
      return each("ids").some((one) => matchesRule(one, request));
    case "notRule":
    case "notId":
      return !matchesRule(value, request);
    case "metadata":
      return matchesMetadata(value, request);
    case "requestedServerName":
      // Envoy keeps it in lower case.
      return matchesText(
        value,
        (request.sni ?? "").replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
      );
    case "authenticated":
      return request.peerPrincipal !== undefined && matchesText(fieldsOf(value).principalName, request.peerPrincipal);
    default:
      return matchesConnection(kind, value, request) ?? matchesHttp(kind, value, request);
  }
}

function onlyField(rule: Json): readonly [string, Json] {
  const [field, second] = Object.entries(fieldsOf(rule));
  if (field === undefined || second !== undefined) throw new Error(`one field is wanted: ${JSON.stringify(rule)}`);
  return field;
}

function matchesConnection(kind: string, value: Json, request: AuthorizationRequest): boolean | undefined {
  switch (kind) {
    case "destinationPort":
      return request.destinationPort === value;
    case "destinationIp":
      return matchesRange(value, request.destinationIp);
    case "directRemoteIp":
      return matchesRange(value, request.directRemoteIp);
    case "remoteIp":
      return matchesRange(value, request.remoteIp);
    default:
      return undefined;
  }
}

function matchesHttp(kind: string, value: Json, request: AuthorizationRequest): boolean {
  if (request.kind === "tcp") throw new Error(`${kind} is asked of a TCP connection`);
  switch (kind) {
    case "header":
      return matchesHeader(value, request);
    case "urlPath":
      return (
        request.path !== undefined &&
        matchesText(fieldsOf(fieldsOf(value).path).path ?? fieldsOf(value).path, pathOf(request))
      );
    case "uriTemplate":
      return (
        request.path !== undefined &&
        matchesTemplate(fieldsOf(fieldsOf(value).typedConfig).pathTemplate, pathOf(request))
      );
    default:
      throw new Error(`a rule that is not known: ${kind}`);
  }
}

function pathOf({ path = "" }: HttpAuthorizationRequest): string {
  return path.replace(/[?#].*$/s, "");
}

function matchesHeader(matcher: Json, request: HttpAuthorizationRequest): boolean {
  const { name, presentMatch, stringMatch } = fieldsOf(matcher);
  const values = headerValues(
    octets(name).replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    request,
  );
  if (presentMatch === true) return values.length > 0;
  return values.some((value) => matchesText(stringMatch, value));
}

function headerValues(name: string, request: HttpAuthorizationRequest): readonly string[] {
  const { method, path, host, scheme, headers } = request;
  const pseudo = new Map([
    [":method", method],
    [":path", path],
    [":authority", host],
    [":scheme", scheme],
    // Envoy has no Host besides.
    ["host", host],
  ]);
  const value = pseudo.has(name) ? pseudo.get(name) : headers.get(name);
  return value === undefined ? [] : joinedHeaderValues(name, [value].flat());
}

/** `*` is one segment, `**` is any number of characters; of characters those that a path may have. */
function matchesTemplate(template: Json | undefined, path: string): boolean {
  const character = "[A-Za-z0-9._~%!$&'()*+,;:@=\\-]";
  const source = octets(template)
    .split("/")
    .map((segment) => {
      if (segment === "**") return `(?:${character}|/)*`;
      return segment === "*" ? `${character}+` : segment.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
    });
  return new RegExp(`^${source.join("/")}$`).test(path);
}

function matchesMetadata(matcher: Json, request: AuthorizationRequest): boolean {
  const { filter, path, value } = fieldsOf(matcher);
  const isJwt = filter === "envoy.filters.http.jwt_authn";
  const payload = request.kind === "http" ? request.jwtPayload : undefined;
  let found: unknown = isJwt ? { payload } : request.filterMetadata?.[String(filter)];
  for (const segment of entriesOf(path)) {
    const key = String(fieldsOf(segment).key);
    const isMap = typeof found === "object" && found !== null && !Array.isArray(found);
    found = isMap && Object.hasOwn(found as object, key) ? Reflect.get(found as object, key) : undefined;
  }
  return matchesValue(value, found);
}

function matchesValue(matcher: Json | undefined, found: unknown): boolean {
  const { stringMatch, listMatch, orMatch } = fieldsOf(matcher);
  if (orMatch !== undefined) return entriesOf(fieldsOf(orMatch).valueMatchers).some((one) => matchesValue(one, found));
  if (listMatch !== undefined) {
    const { oneOf } = fieldsOf(listMatch);
    return Array.isArray(found) && found.some((one) => matchesValue(oneOf, one));
  }
  if (stringMatch === undefined) throw new Error(`a value matcher that is not known: ${JSON.stringify(matcher)}`);
  return typeof found === "string" && matchesText(stringMatch, octets(found));
}
