import type { LifetimeLimits } from "@signet/ca";
import { formatDuration, type HostPort, type LogLevel, parseSettings } from "@signet/runtime";
import type { TrustDomain } from "@signet/spiffe";
import type { KeyType } from "@signet/x509";
import { parseServingNames, type ServingNames } from "./serving-names.ts";
import { type CaServerSettingValues, caServerSettings } from "./setting-spec.ts";
import { listTokenIssuers, type TokenIssuer } from "./token-issuers.ts";

/** What a CA server is started with. Durations in milliseconds; port 0 picks a free one. */
export type CaServerSettings = {
  readonly caListen: HostPort;
  readonly monitoringListen: HostPort;
  readonly httpListen: HostPort;
  readonly trustDomain: TrustDomain;
  /** Holds a plugged-in CA, or none of its files. */
  readonly rootCaDirectory: string;
  /** Keeps the self-signed CA when there is no plugged-in one. */
  readonly stateDirectory: string;
  /** What a new self-signed root is like. */
  readonly selfSigned: { readonly keyType: KeyType; readonly ttlMs: number };
  readonly limits: LifetimeLimits;
  readonly issuers: readonly TokenIssuer[];
  readonly servingNames: ServingNames;
  readonly transport: {
    readonly maxConcurrentStreams: number;
    readonly maxReceiveBytes: number;
    readonly keepaliveTimeMs: number;
    readonly keepaliveTimeoutMs: number;
  };
  readonly logLevel: LogLevel;
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
  const tokenIssuers = listTokenIssuers(values);
  const problems = [...servingNames.problems, ...tokenIssuers.problems, ...checkTogether(values)];
  if (problems.length > 0) return { kind: "invalid", problems };
  const { trustDomain, caListen, monitoringListen, httpListen, rootCaDirectory, stateDirectory, logLevel } = values;
  const { maxConcurrentStreams, maxReceiveBytes, keepaliveTimeMs, keepaliveTimeoutMs } = values;
  return {
    kind: "settings",
    settings: {
      ...{ caListen, monitoringListen, httpListen, trustDomain, rootCaDirectory, stateDirectory, logLevel },
      selfSigned: { keyType: selfSignedKeyType(values), ttlMs: values.selfSignedTtlMs },
      limits: { defaultTtlMs: values.defaultTtlMs, maxTtlMs: values.maxTtlMs },
      issuers: tokenIssuers.issuers,
      servingNames: { dnsNames: servingNames.dnsNames, ipAddresses: servingNames.ipAddresses },
      transport: { maxConcurrentStreams, maxReceiveBytes, keepaliveTimeMs, keepaliveTimeoutMs },
    },
  };
}

function checkTogether(values: CaServerSettingValues): readonly string[] {
  const problems: string[] = [];
  if (!values.enableCaServer) problems.push("ENABLE_CA_SERVER is false, and this process is nothing but a CA server");
  // To sign with a key of our own where another CA was asked for would split the mesh.
  if (values.externalCa !== "") problems.push(`EXTERNAL_CA ${JSON.stringify(values.externalCa)} is not supported`);
  if (values.useRemoteCerts) problems.push("USE_REMOTE_CERTS is not supported");
  if (!["istiod", ""].includes(values.certProvider)) {
    problems.push(`PILOT_CERT_PROVIDER ${JSON.stringify(values.certProvider)} is not supported`);
  }
  // Whoever asks for it has to answer for the ciphers, and would find out from an auditor.
  if (values.compliancePolicy !== "") {
    problems.push(`COMPLIANCE_POLICY ${JSON.stringify(values.compliancePolicy)} is not supported`);
  }
  if (values.defaultTtlMs > values.maxTtlMs) {
    const [usual, most] = [formatDuration(values.defaultTtlMs), formatDuration(values.maxTtlMs)];
    problems.push(`DEFAULT_WORKLOAD_CERT_TTL ${usual} exceeds MAX_WORKLOAD_CERT_TTL ${most}`);
  }
  if (values.selfSignedKey === "rsa-2048" && values.selfSignedRsaBits !== "2048") {
    problems.push(
      `SIGNET_SELF_SIGNED_CA_KEY rsa-2048 contradicts CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE ${values.selfSignedRsaBits}`,
    );
  }
  return problems;
}

function selfSignedKeyType(values: CaServerSettingValues): KeyType {
  if (values.selfSignedKey === "p256") return "P-256";
  return `RSA-${values.selfSignedRsaBits}`;
}
