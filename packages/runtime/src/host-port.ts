import { isIPv6 } from "node:net";
import { RuntimeError } from "./errors.ts";

/** Where to listen or connect to. An IPv6 address stands without brackets. */
export type HostPort = { readonly host: string; readonly port: number };

/** The host that ":15012" means: every interface, IPv6 and IPv4. */
const allInterfaces = "::";
const hostName = /^[a-zA-Z0-9_]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9_.])?$/;

/**
 * Host and port of "host:port", "[::1]:port" or ":port"; the last means all interfaces and gives the host "::".
 * @throws RuntimeError `host-port-malformed`
 * @example
 * ```ts
 * import { parseHostPort } from "@signet/runtime";
 * parseHostPort("localhost:15012"); // { host: "localhost", port: 15012 }
 * ```
 */
export function parseHostPort(text: string): HostPort {
  const colon = text.lastIndexOf(":");
  const host = parseHost(colon < 0 ? text : text.slice(0, colon));
  const port = text.slice(colon + 1);
  if (colon < 0 || host === undefined || !/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new RuntimeError(
      "host-port-malformed",
      `${JSON.stringify(text.slice(0, 300))} is not a host and a port from 0 to 65535, such as "localhost:15012", "[::1]:15012" or ":15012"`,
    );
  }
  return { host, port: Number(port) };
}

function parseHost(text: string): string | undefined {
  if (text === "") return allInterfaces;
  if (!text.startsWith("[")) return hostName.test(text) ? text : undefined;
  const address = text.slice(1, -1);
  return text.endsWith("]") && isIPv6(address) ? address : undefined;
}

/**
 * "host:port", with brackets around an IPv6 address.
 * @example
 * ```ts
 * import { formatHostPort } from "@signet/runtime";
 * formatHostPort({ host: "::1", port: 15012 }); // "[::1]:15012"
 * ```
 */
export function formatHostPort(address: HostPort): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
