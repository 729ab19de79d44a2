import { isIP } from "node:net";
import type { HostPort } from "@signet/runtime";

/** How the CA is reached, and what its certificate must show. */
export type CaEndpoint = {
  readonly address: HostPort;
  /** Port 15010 only, which is istiod's plain text port. */
  readonly plaintext: boolean;
  /** Names of which the CA's certificate must carry one; undefined stands for the address itself. */
  readonly serverNames: readonly [string | undefined, ...(string | undefined)[]];
  readonly root: { readonly kind: "system" } | { readonly kind: "file"; readonly path: string };
};

/** The address of the CA unless `CA_ADDR` names another. */
export const defaultCaAddress: HostPort = { host: "istiod.istio-system.svc", port: 15012 };

const plaintextPort = 15010;
const mountedRoot = "./var/run/secrets/istio/root-cert.pem";
const legacyMountedRoot = "./etc/certs/root-cert.pem";

/**
 * The CA that Istio's variables stand for.
 *
 * `ISTIOD_SAN` replaces the name only where Istio applies it, with the default address; with another address it is
 * accepted beside the address. A host that contains "localhost" is mostly a port forward to a stock istiod, so the name
 * of istiod is accepted beside it.
 */
export function caEndpointOf(settings: {
  readonly caAddress: HostPort;
  readonly caRootCa: string;
  readonly istiodSan: string;
  readonly certProvider: string;
}): CaEndpoint {
  const { caAddress: address } = settings;
  return { address, plaintext: address.port === plaintextPort, serverNames: namesOf(settings), root: rootOf(settings) };
}

function namesOf(settings: { readonly caAddress: HostPort; readonly istiodSan: string }): CaEndpoint["serverNames"] {
  const { caAddress, istiodSan } = settings;
  const isDefault = caAddress.host === defaultCaAddress.host && caAddress.port === defaultCaAddress.port;
  if (isDefault && istiodSan !== "") return [istiodSan];
  const own = isIP(caAddress.host) === 0 ? caAddress.host : undefined;
  const names = caAddress.host.includes("localhost") ? [defaultCaAddress.host] : [];
  return istiodSan === "" ? [own, ...names] : [istiodSan, own, ...names];
}

function rootOf(settings: { readonly caRootCa: string; readonly certProvider: string }): CaEndpoint["root"] {
  if (settings.caRootCa === "SYSTEM") return { kind: "system" };
  if (settings.caRootCa !== "") return { kind: "file", path: settings.caRootCa };
  return { kind: "file", path: settings.certProvider === "custom" ? legacyMountedRoot : mountedRoot };
}

/**
 * The file of the mesh's own roots, or undefined where it is not certain to be that: any other file of roots, and the system's,
 * say whom to believe to be the CA, and not whom to believe to be a workload.
 */
export function mountedMeshRoot(settings: {
  readonly caRootCa: string;
  readonly certProvider: string;
}): string | undefined {
  return settings.caRootCa === "" && settings.certProvider === "istiod" ? mountedRoot : undefined;
}
