import { isIP } from "node:net";
import type { AttributedRequest } from "./attribute-context.ts";

/**
 * Returns the address of the client behind proxies: by `x-forwarded-for` where `trustedHops` of them before our own are believed,
 * else that of the peer.
 *
 * As Envoy counts: its own entry, which is the peer's address at the end of the header, is passed over, and then `trustedHops`
 * lead to the client. Without `trustedHops`, or where the header has too few entries or something else than an address at
 * that place, it is the peer's.
 * @example
 * ```ts
 * import { parseAttributeContext, remoteIpOf } from "@signet/authorizer";
 * const request = parseAttributeContext({
 *   source: { address: { socketAddress: { address: "10.0.0.7" } } },
 *   request: { http: { headers: { "x-forwarded-for": "192.0.2.1, 10.0.0.7" } } },
 * });
 * remoteIpOf(request, 1); // "192.0.2.1"
 * ```
 */
export function remoteIpOf(
  { source, headers }: AttributedRequest,
  trustedHops: number | undefined,
): string | undefined {
  const { address } = source;
  if (trustedHops === undefined || trustedHops === 0) return address;
  const entries = headers
    .filter(([name]) => name.toLowerCase() === "x-forwarded-for")
    .flatMap(([, value]) => value.split(","))
    .map((entry) => entry.trim());
  const before = entries.at(-1) === address ? entries.slice(0, -1) : entries;
  const found = before.at(-trustedHops);
  return found !== undefined && isIP(found) !== 0 ? found : address;
}
