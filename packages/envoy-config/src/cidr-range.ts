import { isIP } from "node:net";
import { type Matched, matcher, unusable } from "./matched.ts";

/** Matches an address, or those of a range such as `10.1.2.0/24`, under the name of an address that Envoy knows. */
export function addressMatcher(field: "destinationIp" | "directRemoteIp" | "remoteIp", value: string): Matched {
  const slash = value.indexOf("/");
  const addressPrefix = slash < 0 ? value : value.slice(0, slash);
  const family = addressPrefix.includes("%") ? 0 : isIP(addressPrefix);
  const bits = family === 6 ? 128 : 32;
  const length = slash < 0 ? `${bits}` : value.slice(slash + 1);
  const prefixLen = /^(0|[1-9]\d{0,2})$/.test(length) ? Number(length) : Number.NaN;
  if (family === 0 || !(prefixLen <= bits)) return unusable("it is no address and no range of addresses");
  return matcher({ [field]: { addressPrefix, prefixLen } });
}
