import type { JsonMap } from "./envoy-filter.ts";
import { exactly, matchingRegex, nonEmpty, quoteRegex, startingWith } from "./string-matcher.ts";

/** Where Envoy has the SPIFFE ID of the peer from: its certificate, or on HBONE listeners what the tunnel's end said. */
export type PeerIdentity = "tls" | "filter-state";

/** Matches the peer by its SPIFFE ID; a peer without one matches nothing. */
export function peerMatcher(principalName: JsonMap, from: PeerIdentity): JsonMap {
  if (from === "tls") return { authenticated: { principalName } };
  return { filterState: { key: "io.istio.peer_principal", stringMatch: principalName } };
}

const scheme = "spiffe://";

/** A SPIFFE ID without its scheme, a star at one end of it for anything. */
export function principalName(value: string): JsonMap {
  if (value === "*") return nonEmpty;
  if (value.startsWith("*")) return matchingRegex(`${scheme}.*${quoteRegex(value.slice(1))}`);
  if (value.endsWith("*")) return startingWith(scheme + value.slice(0, -1));
  return exactly(scheme + value);
}

/** A namespace, each star in it for anything. */
export function namespaceName(value: string): JsonMap {
  return matchingRegex(`.*/ns/${value.split("*").map(quoteRegex).join(".*")}/.*`);
}

/** A service account of any trust domain, `NAME` or `NAMESPACE/NAME`. */
export function serviceAccountName(value: string, namespaceOfPolicy: string): JsonMap {
  const slash = value.indexOf("/");
  const [namespace, name] = slash < 0 ? [namespaceOfPolicy, value] : [value.slice(0, slash), value.slice(slash + 1)];
  return matchingRegex(`${scheme}.+/ns/${quoteRegex(namespace)}/(.+/|)sa/${quoteRegex(name)}(/.+)?`);
}

/** A trust domain, the first star in it for anything but a slash. */
export function trustDomainName(value: string): JsonMap {
  if (value === "*") return startingWith(scheme);
  const star = value.indexOf("*");
  if (star < 0) return startingWith(`${scheme}${value}/`);
  return matchingRegex(`${scheme}${quoteRegex(value.slice(0, star))}[^/]*${quoteRegex(value.slice(star + 1))}/.*`);
}
