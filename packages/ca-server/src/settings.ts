import type { LifetimeLimits } from "@signet/ca";
import type { MeshCaCertificate } from "@signet/documents";
import { type HostPort, type LogLevel, parseSettings } from "@signet/runtime";
import { parseTrustDomain, type TrustDomain } from "@signet/spiffe";
import type { CidrList } from "./cidr-list.ts";
import { parseServingNames, type ServingNames } from "./serving/serving-names.ts";
import { type CaServerSettingValues, caServerSettings } from "./setting-spec.ts";
import {
  type KubernetesSettings,
  readKubernetesSettings,
  readTrustedGateways,
  readTrustedNodeAccounts,
} from "./settings/read-callers.ts";
import { readSigningSettings, type SigningSettings } from "./settings/read-signing.ts";
import { unsupportedProblems } from "./settings/unsupported-settings.ts";
import { listTokenIssuers, type TokenIssuer } from "./token-issuers.ts";

/** What a CA server is started with. Durations in milliseconds; port 0 picks a free one. */
export type CaServerSettings = {
  readonly caListen: HostPort;
  readonly monitoringListen: HostPort;
  readonly httpListen: HostPort;
  readonly trustDomain: TrustDomain;
  /** SVIDs and requests under these count as under `trustDomain`. */
  readonly trustDomainAliases: ReadonlySet<TrustDomain>;
  readonly meshConfig: MeshConfigSettings;
  /** Authorities that the mesh config names beside our own. */
  readonly meshCaCertificates: readonly MeshCaCertificate[];
  /** Where the server's own Secrets and those of remote clusters are. */
  readonly namespace: string;
  readonly signing: SigningSettings;
  readonly limits: LifetimeLimits;
  readonly issuers: readonly TokenIssuer[];
  /** Absent where there is no Kubernetes API. */
  readonly kubernetes?: KubernetesSettings;
  readonly trustedGateways: CidrList;
  /** `<namespace>/<service account>` of node proxies. */
  readonly trustedNodeAccounts: ReadonlySet<string>;
  readonly servingNames: ServingNames;
  /** The server's own certificate, where it is not issued here. */
  readonly servingFiles?: ServingFiles;
  readonly transport: {
    readonly maxConcurrentStreams: number;
    readonly maxReceiveBytes: number;
    readonly keepaliveTimeMs: number;
    readonly keepaliveTimeoutMs: number;
  };
  readonly callDeadlineMs: number;
  readonly logLevel: LogLevel;
};

/** Where Istio's mesh config is read from at the start. */
export type MeshConfigSettings = {
  readonly path: string;
  /** Whether it is an error when there is no such file. */
  readonly required: boolean;
  /** Whether its trust domain counts; a setting outranks it. */
  readonly namesTrustDomain: boolean;
};

/** Files of the server's own certificate, PEM. */
export type ServingFiles = {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** The roots that vouch for it. */
  readonly rootFile: string;
};

/** What came of reading the command line and the environment. */
export type ParsedCaServerSettings =
  | { readonly kind: "settings"; readonly settings: CaServerSettings }
  | { readonly kind: "help" }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/**
 * Returns the settings of a CA server, or every problem with them at once. A flag wins over an environment variable,
 * and that over the default.
 *
 * Unlike istiod, which falls back to the default, an invalid setting is a problem; so is one that asks for what this
 * server would quietly not do.
 * @example
 * ```ts
 * import { parseCaServerSettings } from "@signet/ca-server";
 * const parsed = parseCaServerSettings({ env: { TOKEN_ISSUER: "https://issuer.example" }, args: ["--ca-listen", ":0"] });
 * if (parsed.kind === "settings") parsed.settings.limits.maxTtlMs; // 7776000000
 * ```
 */
export function parseCaServerSettings(input: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly args: readonly string[];
}): ParsedCaServerSettings {
  const parsed = parseSettings(caServerSettings, input);
  if (parsed.kind !== "settings") return parsed;
  const { values } = parsed;
  const servingNames = parseServingNames(values);
  const servingFiles = readServingFiles(values);
  const tokenIssuers = listTokenIssuers(values);
  const clusters = readKubernetesSettings(values);
  const gateways = readTrustedGateways(values);
  const nodeAccounts = readTrustedNodeAccounts(values);
  const signing = readSigningSettings(values);
  const parts = [servingNames, servingFiles, tokenIssuers, clusters, gateways, nodeAccounts, signing];
  const problems = [...unsupportedProblems(values), ...parts.flatMap((part) => part.problems)];
  if (problems.length > 0) return { kind: "invalid", problems };
  const { caListen, monitoringListen, httpListen, namespace, callDeadlineMs, logLevel } = values;
  const { maxConcurrentStreams, maxReceiveBytes, keepaliveTimeMs, keepaliveTimeoutMs } = values;
  return {
    kind: "settings",
    settings: {
      ...{ caListen, monitoringListen, httpListen, namespace, callDeadlineMs, logLevel },
      trustDomain: values.trustDomain ?? defaultTrustDomain,
      trustDomainAliases: new Set(),
      meshCaCertificates: [],
      meshConfig: readMeshConfigSettings(values),
      signing: signing.signing,
      limits: { defaultTtlMs: values.defaultTtlMs, maxTtlMs: values.maxTtlMs },
      issuers: tokenIssuers.issuers,
      ...(clusters.kubernetes !== undefined && { kubernetes: clusters.kubernetes }),
      trustedGateways: gateways.trustedGateways,
      trustedNodeAccounts: nodeAccounts.trustedNodeAccounts,
      servingNames: { dnsNames: servingNames.dnsNames, ipAddresses: servingNames.ipAddresses },
      ...(servingFiles.servingFiles !== undefined && { servingFiles: servingFiles.servingFiles }),
      transport: { maxConcurrentStreams, maxReceiveBytes, keepaliveTimeMs, keepaliveTimeoutMs },
    },
  };
}

const defaultTrustDomain = parseTrustDomain("cluster.local");
/** Where Istio's charts mount it. */
const meshConfigPath = "./etc/istio/config/mesh";

function readMeshConfigSettings({ meshConfigFile, trustDomain }: CaServerSettingValues): MeshConfigSettings {
  return {
    path: meshConfigFile ?? meshConfigPath,
    required: meshConfigFile !== undefined,
    namesTrustDomain: trustDomain === undefined,
  };
}

function readServingFiles({ tlsCertFile, tlsKeyFile, caCertFile }: CaServerSettingValues): {
  readonly servingFiles?: ServingFiles;
  readonly problems: readonly string[];
} {
  const given = [tlsCertFile, tlsKeyFile, caCertFile].filter((path) => path !== "").length;
  if (given === 0) return { problems: [] };
  if (given < 3) {
    return {
      problems: ["SIGNET_TLS_CERT_FILE, SIGNET_TLS_KEY_FILE and SIGNET_TLS_CA_FILE are set together or not at all"],
    };
  }
  return { servingFiles: { certificateFile: tlsCertFile, keyFile: tlsKeyFile, rootFile: caCertFile }, problems: [] };
}
