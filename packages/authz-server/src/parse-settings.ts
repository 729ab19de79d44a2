import { isIP } from "node:net";
import { maxSocketPathBytes } from "@signet/grpc";
import { parseSettings } from "@signet/runtime";
import { type AuthzSettings, authzSettings } from "./settings.ts";

/** The settings, the wish for help, or every problem at once. */
export type AuthzSettingsResult =
  | { readonly kind: "settings"; readonly settings: AuthzSettings & { readonly policies: string } }
  | { readonly kind: "help" }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/**
 * The settings in environment and flags.
 * @example
 * ```ts
 * import { parseAuthzSettings } from "@signet/authz-server";
 * parseAuthzSettings(["--policies", "/etc/signet/policies"], { SIGNET_AUTHZ_JWT_FIRST: "true" });
 * ```
 */
export function parseAuthzSettings(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): AuthzSettingsResult {
  const result = parseSettings(authzSettings, { args, env });
  if (result.kind !== "settings") return result;
  const { policies, socket, socketMode, refusedCidrs } = result.values;
  const problems = refusedCidrs
    .filter((cidr) => !isCidr(cidr))
    .map(
      (cidr) => `BLOCKED_CIDRS_IN_JWKS_URIS: ${JSON.stringify(cidr.slice(0, 100))} is no range such as 192.0.2.0/24`,
    );
  if (policies === undefined || policies === "") {
    problems.push("SIGNET_AUTHZ_POLICIES (flag --policies) is missing: the file or directory of documents");
  }
  if (Buffer.byteLength(socket) > maxSocketPathBytes) {
    problems.push(`SIGNET_AUTHZ_SOCKET: a Unix socket path has at most ${maxSocketPathBytes} bytes`);
  }
  if (!/^0?[0-7]{3}$/.test(socketMode)) {
    problems.push(
      `SIGNET_AUTHZ_SOCKET_MODE: ${JSON.stringify(socketMode.slice(0, 20))} is not an octal mode such as 0660`,
    );
  }
  if (policies === undefined || problems.length > 0) return { kind: "invalid", problems };
  return { kind: "settings", settings: { ...result.values, policies } };
}

function isCidr(text: string): boolean {
  const [address = "", prefix, more] = text.split("/");
  const bits = isIP(address) === 6 ? 128 : 32;
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
  return isIP(address) !== 0 && more === undefined && isPrefix;
}
