import { isIP } from "node:net";
import type { MeshConfig } from "@signet/documents";
import { errorMessage, isFileMissing, readFileCapped } from "@signet/runtime";
import { CaServerError } from "./errors.ts";
import type { CaServerSettings } from "./settings.ts";

const maxBytes = 1024 * 1024;

/**
 * Returns the settings with what Istio's mesh config adds to them: the trust domain unless it was set, its aliases, the
 * certificates of other authorities, and the host of the discovery address as a name of the server's certificate.
 *
 * It is read once: a mesh's trust domain is not changed under the feet of a CA.
 * @throws CaServerError `mesh-config-invalid` naming file, line and column
 */
export async function applyMeshConfig(settings: CaServerSettings): Promise<CaServerSettings> {
  const meshConfig = await readMeshConfig(settings);
  if (meshConfig === undefined) return settings;
  const trustDomain = (settings.meshConfig.namesTrustDomain && meshConfig.trustDomain) || settings.trustDomain;
  const aliases = new Set(meshConfig.trustDomainAliases);
  // Where a setting outranks it, the mesh config's own name is what the mesh is called elsewhere; it is no alias of ours.
  aliases.delete(trustDomain);
  return {
    ...settings,
    trustDomain,
    trustDomainAliases: aliases,
    meshCaCertificates: meshConfig.caCertificates,
    servingNames: withHost(settings.servingNames, meshConfig.discoveryAddress),
  };
}

async function readMeshConfig({ meshConfig: { path, required } }: CaServerSettings): Promise<MeshConfig | undefined> {
  let text: string;
  try {
    text = (await readFileCapped(path, maxBytes)).toString("utf8");
  } catch (error) {
    if (!required && isFileMissing(error)) return undefined;
    throw new CaServerError("mesh-config-invalid", `mesh config ${path} cannot be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  // Loaded where there is something to read: most of the time it takes is for its YAML.
  const { describeProblem, parseMeshConfig } = await import("@signet/documents");
  const parsed = parseMeshConfig(text, { file: path });
  if (parsed.kind === "mesh-config") return parsed.meshConfig;
  throw new CaServerError("mesh-config-invalid", parsed.problems.map(describeProblem).join("; "));
}

function withHost(
  names: CaServerSettings["servingNames"],
  address: string | undefined,
): CaServerSettings["servingNames"] {
  const host = address?.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  if (host === undefined) return names;
  return isIP(host) === 0
    ? { ...names, dnsNames: [...new Set([...names.dnsNames, host])] }
    : { ...names, ipAddresses: [...new Set([...names.ipAddresses, host])] };
}
