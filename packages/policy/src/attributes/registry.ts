import type { OperationField, SourceField } from "@signet/documents";
import { destinationIp, remoteIp, sourceIp } from "./addresses.ts";
import type { Attribute } from "./attribute.ts";
import { connectionSni } from "./connection-sni.ts";
import { filterMetadata } from "./filter-metadata.ts";
import { destinationPort, operationHost, operationMethod, operationPath } from "./operation.ts";
import { requestClaim, requestPrincipal } from "./request-auth.ts";
import { requestHeader } from "./request-header.ts";
import { sourceNamespace, sourcePrincipal, sourceServiceAccount, sourceTrustDomain } from "./source-principal.ts";

/** A field of a source or an operation with the field that negates it. */
export type FieldPair<Field extends string> = {
  readonly field: Field;
  readonly notField: Field;
  readonly attribute: Attribute;
};

/** In the order in which Istio writes them. */
export const sourceFields: readonly FieldPair<SourceField>[] = [
  { field: "principals", notField: "notPrincipals", attribute: sourcePrincipal },
  { field: "requestPrincipals", notField: "notRequestPrincipals", attribute: requestPrincipal },
  { field: "serviceAccounts", notField: "notServiceAccounts", attribute: sourceServiceAccount },
  { field: "trustDomains", notField: "notTrustDomains", attribute: sourceTrustDomain },
  { field: "namespaces", notField: "notNamespaces", attribute: sourceNamespace },
  { field: "remoteIpBlocks", notField: "notRemoteIpBlocks", attribute: remoteIp },
  { field: "ipBlocks", notField: "notIpBlocks", attribute: sourceIp },
];

/** In the order in which Istio writes them. */
export const operationFields: readonly FieldPair<OperationField>[] = [
  { field: "hosts", notField: "notHosts", attribute: operationHost },
  { field: "methods", notField: "notMethods", attribute: operationMethod },
  { field: "paths", notField: "notPaths", attribute: operationPath },
  { field: "ports", notField: "notPorts", attribute: destinationPort },
];

const plainKeys: ReadonlyMap<string, Attribute> = new Map([
  ["source.ip", sourceIp],
  ["remote.ip", remoteIp],
  ["source.namespace", sourceNamespace],
  ["source.serviceAccount", sourceServiceAccount],
  ["source.trustDomain", sourceTrustDomain],
  ["source.principal", sourcePrincipal],
  ["request.auth.principal", requestPrincipal],
  ["request.auth.audiences", requestClaim(["aud"], "audiences")],
  ["request.auth.presenter", requestClaim(["azp"], "presenter")],
  ["destination.ip", destinationIp],
  ["destination.port", destinationPort],
  ["connection.sni", connectionSni],
]);

const headerPrefix = "request.headers";
const claimPrefix = "request.auth.claims";
const metadataPrefix = "experimental.envoy.filters.";

/** Returns what a key of `when` is about, or undefined for one that is about nothing we know. */
export function attributeOfKey(key: string): Attribute | undefined {
  const plain = plainKeys.get(key);
  if (plain !== undefined) return plain;
  if (key.startsWith(headerPrefix)) {
    const name = nameInBrackets(key.slice(headerPrefix.length));
    return name === undefined || name === "" ? undefined : requestHeader(name);
  }
  if (key.startsWith(claimPrefix)) {
    const path = namesInBrackets(key.slice(claimPrefix.length));
    return path === undefined ? undefined : requestClaim(path);
  }
  if (!key.startsWith(metadataPrefix)) return undefined;
  const bracket = key.indexOf("[");
  if (bracket < 0) return undefined;
  const filter = key.slice("experimental.".length, bracket);
  return filterMetadata(filter, key.slice(bracket + 1, key.endsWith("]") ? -1 : undefined));
}

/** What stands between the first and the last bracket, if those are all around it. */
function nameInBrackets(text: string): string | undefined {
  return text.length >= 2 && text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : undefined;
}

/** `[a][b]` as a path of names; anything else in brackets as one name, so that `[[x]]` is `[x]`. */
function namesInBrackets(text: string): readonly string[] | undefined {
  const names: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("]", at);
    const name = text.slice(at + 1, end);
    if (text[at] !== "[" || end < 0 || name.includes("[")) {
      const whole = nameInBrackets(text);
      return whole === undefined ? undefined : [whole];
    }
    names.push(name);
    at = end + 1;
  }
  return names.length === 0 ? undefined : names;
}
