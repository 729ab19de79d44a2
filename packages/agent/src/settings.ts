import { type HostPort, type LogLevel, logLevels, type Setting, setting } from "@signet/runtime";
import { parseTrustDomain, type TrustDomain } from "@signet/spiffe";
import type { KeyType } from "@signet/x509";
import { defaultCaAddress } from "./ca-client/ca-endpoint.ts";
import type { ReloadHook } from "./output/reload-hook.ts";
import { parseAddresses, parseFileName, parseGroupId, parseMode, parseShare } from "./setting-readers.ts";

const hourMs = 3_600_000;
const socketDirectory = "./var/run/secrets/workload-spiffe-uds";

/** What the agent can be told, as values. */
export type AgentSettingValues = {
  readonly caAddress: HostPort;
  readonly caFallbacks: readonly HostPort[];
  readonly caRootCa: string;
  readonly istiodSan: string;
  readonly certProvider: string;
  readonly tokenFile: string;
  readonly clusterId: string;
  readonly certSigner: string;
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly ttlMs: number;
  readonly caBackdatingMs: number;
  readonly graceRatio: number;
  readonly graceRatioJitter: number;
  readonly rsaKeySize: "2048" | "3072" | "4096" | undefined;
  readonly eccAlgorithm: "ECDSA" | undefined;
  readonly eccCurve: "P256" | "P384";
  readonly pkcs8Key: boolean;
  readonly socketFile: string;
  readonly sdsSocket: string | undefined;
  readonly sdsSocketMode: string;
  readonly workloadApiSocket: string;
  readonly workloadApiSocketMode: string;
  readonly fileMountedCerts: boolean;
  readonly identityCache: string;
  readonly outputCerts: string;
  readonly outputCertsGroup: number | undefined;
  readonly reloadCommand: string;
  readonly reloadSignal: NodeJS.Signals;
  readonly reloadPidFile: string;
  readonly statusListen: HostPort;
  readonly logLevel: LogLevel;
};

/**
 * Every setting of the agent: Istio's variables under their names, ours as `SIGNET_*`.
 * @example
 * ```ts
 * import { agentSettings } from "@signet/agent";
 * import { settingsTable } from "@signet/runtime";
 * settingsTable(agentSettings);
 * ```
 */
export const agentSettings: { readonly [K in keyof AgentSettingValues]: Setting<AgentSettingValues[K]> } = {
  caAddress: setting.hostPort({
    env: "CA_ADDR",
    flag: "ca-addr",
    default: defaultCaAddress,
    description: "address of the CA; port 15010 means plain text",
  }),
  caFallbacks: setting.parsed({
    env: "SIGNET_CA_FALLBACK_ADDRS",
    flag: "ca-fallback-addrs",
    default: [],
    description: "further addresses of the CA, asked in turn when the one before cannot be reached",
    read: parseAddresses,
    placeholder: "<host:port,...>",
  }),
  caRootCa: setting.text({
    env: "CA_ROOT_CA",
    flag: "ca-root-ca",
    default: "",
    description: "file of root certificates to verify the CA by, or SYSTEM (empty: Istio's mounted root)",
  }),
  istiodSan: setting.text({
    env: "ISTIOD_SAN",
    flag: "istiod-san",
    default: "",
    description: "name to find in the CA's certificate: instead of the default address, beside one from CA_ADDR",
  }),
  certProvider: setting.text({
    env: "PILOT_CERT_PROVIDER",
    flag: "pilot-cert-provider",
    default: "istiod",
    description: "where the root is mounted when CA_ROOT_CA is empty: custom means ./etc/certs, none means nowhere",
  }),
  tokenFile: setting.text({
    env: "SIGNET_TOKEN_FILE",
    flag: "token-file",
    default: "./var/run/secrets/tokens/istio-token",
    description: "file of the bearer token for the CA, read at every call",
  }),
  clusterId: setting.text({
    env: "ISTIO_META_CLUSTER_ID",
    flag: "istio-meta-cluster-id",
    default: "",
    description: "sent to the CA as the header ClusterID",
  }),
  certSigner: setting.text({
    env: "ISTIO_META_CERT_SIGNER",
    flag: "istio-meta-cert-signer",
    default: "",
    description: "sent to the CA as CertSigner",
  }),
  trustDomain: setting.parsed({
    env: "TRUST_DOMAIN",
    flag: "trust-domain",
    default: parseTrustDomain("cluster.local"),
    description: "trust domain in the CSR; the CA decides what is issued",
    read: parseTrustDomain,
  }),
  namespace: setting.text({
    env: "POD_NAMESPACE",
    flag: "pod-namespace",
    default: "",
    description: "namespace in the CSR (empty: that of the token)",
  }),
  serviceAccount: setting.text({
    env: "SERVICE_ACCOUNT",
    flag: "service-account",
    default: "",
    description: "service account in the CSR (empty: that of the token)",
  }),
  ttlMs: setting.duration({
    env: "SECRET_TTL",
    flag: "secret-ttl",
    default: 24 * hourMs,
    minMs: 1_000,
    maxMs: 87_600 * hourMs,
    description: "lifetime to ask for, in whole seconds",
  }),
  caBackdatingMs: setting.duration({
    env: "SIGNET_CA_BACKDATING",
    flag: "ca-backdating",
    default: 120_000,
    minMs: 0,
    maxMs: 24 * hourMs,
    description: "how much earlier than its own time the CA dates certificates; the CA's time is worked out from it",
  }),
  graceRatio: setting.parsed({
    env: "SECRET_GRACE_PERIOD_RATIO",
    flag: "secret-grace-period-ratio",
    default: 0.5,
    description: "share of the lifetime left at arrival that is kept in reserve: renewal comes when so much is left",
    read: parseShare,
    placeholder: "<0..1>",
  }),
  graceRatioJitter: setting.parsed({
    env: "SECRET_GRACE_PERIOD_RATIO_JITTER",
    flag: "secret-grace-period-ratio-jitter",
    default: 0.01,
    description: "the ratio is moved at random by up to this much",
    read: parseShare,
    placeholder: "<0..1>",
  }),
  rsaKeySize: setting.choice({
    env: "WORKLOAD_RSA_KEY_SIZE",
    flag: "workload-rsa-key-size",
    choices: ["2048", "3072", "4096"],
    description: "use an RSA key of so many bits (not set: P-256)",
  }),
  eccAlgorithm: setting.choice({
    env: "ECC_SIGNATURE_ALGORITHM",
    flag: "ecc-signature-algorithm",
    choices: ["ECDSA"],
    description: "ECDSA: use a key on ECC_CURVE, whatever WORKLOAD_RSA_KEY_SIZE says",
  }),
  eccCurve: setting.choice({
    env: "ECC_CURVE",
    flag: "ecc-curve",
    choices: ["P256", "P384"],
    default: "P256",
    description: "curve of the key with ECC_SIGNATURE_ALGORITHM=ECDSA",
  }),
  pkcs8Key: setting.bool({
    env: "PKCS8_KEY",
    flag: "pkcs8-key",
    default: false,
    description: "hand out the private key as PKCS#8 instead of SEC1 or PKCS#1",
  }),
  socketFile: setting.parsed({
    env: "WORKLOAD_IDENTITY_SOCKET_FILE",
    flag: "workload-identity-socket-file",
    default: "socket",
    description: `name of the SDS socket within ${socketDirectory}`,
    read: parseFileName,
    placeholder: "<name>",
  }),
  sdsSocket: setting.text({
    env: "SIGNET_SDS_SOCKET",
    flag: "sds-socket",
    description: "path of the SDS socket, instead of Istio's",
  }),
  sdsSocketMode: setting.parsed({
    env: "SIGNET_SDS_SOCKET_MODE",
    flag: "sds-socket-mode",
    default: "0660",
    description: "permissions of the SDS socket, octal; whoever can write to it gets the private key",
    read: parseMode,
    placeholder: "<octal>",
  }),
  workloadApiSocket: setting.text({
    env: "SIGNET_WORKLOAD_API_SOCKET",
    flag: "workload-api-socket",
    default: "",
    description: "path of a socket for the SPIFFE Workload API (empty: not served)",
  }),
  workloadApiSocketMode: setting.parsed({
    env: "SIGNET_WORKLOAD_API_SOCKET_MODE",
    flag: "workload-api-socket-mode",
    default: "0660",
    description: "permissions of that socket, octal; whoever can write to it gets the private key",
    read: parseMode,
    placeholder: "<octal>",
  }),
  fileMountedCerts: setting.bool({
    env: "FILE_MOUNTED_CERTS",
    flag: "file-mounted-certs",
    default: false,
    description: "serve the identity that is mounted at ./etc/certs, and ask no CA",
  }),
  identityCache: setting.text({
    env: "SIGNET_IDENTITY_CACHE",
    flag: "identity-cache",
    default: "./var/run/secrets/signet-identity",
    description: "directory in memory (tmpfs) that keeps the identity over a restart, if it is there (empty: none)",
  }),
  outputCerts: setting.text({
    env: "OUTPUT_CERTS",
    flag: "output-certs",
    default: "",
    description: "directory to keep key.pem, cert-chain.pem and root-cert.pem in (empty: none)",
  }),
  outputCertsGroup: setting.parsed({
    env: "SIGNET_OUTPUT_CERTS_GROUP",
    flag: "output-certs-group",
    description: "number of a group that may read these files as well",
    read: parseGroupId,
    placeholder: "<gid>",
  }),
  reloadCommand: setting.text({
    env: "SIGNET_RELOAD_COMMAND",
    flag: "reload-command",
    default: "",
    description: "command line to run when these files have changed, such as nginx -s reload",
  }),
  reloadSignal: setting.choice({
    env: "SIGNET_RELOAD_SIGNAL",
    flag: "reload-signal",
    choices: ["SIGHUP", "SIGUSR1", "SIGUSR2"],
    default: "SIGHUP",
    description: "signal to the process of SIGNET_RELOAD_PID_FILE when these files have changed",
  }),
  reloadPidFile: setting.text({
    env: "SIGNET_RELOAD_PID_FILE",
    flag: "reload-pid-file",
    default: "",
    description: "file with the number of the process to send that signal to (empty: none is sent)",
  }),
  statusListen: setting.hostPort({
    env: "SIGNET_STATUS_LISTEN",
    flag: "status-listen",
    default: { host: "::", port: 15020 },
    description: "where /healthz/ready and /metrics are served",
  }),
  logLevel: setting.choice({
    env: "SIGNET_LOG_LEVEL",
    flag: "log-level",
    choices: logLevels,
    default: "info",
    description: "least severe level that is logged",
  }),
};

/** The agent's settings as parsed, with the headers of `CA_HEADER_*` by lower-case name. */
export type AgentSettings = AgentSettingValues & { readonly caHeaders: Readonly<Record<string, string>> };

/** The path of the SDS socket. */
export function sdsSocketPath(settings: Pick<AgentSettings, "sdsSocket" | "socketFile">): string {
  return settings.sdsSocket || `${socketDirectory}/${settings.socketFile}`;
}

/** How the program that reads the files is told of new ones, if at all. */
export function reloadHookOf(
  settings: Pick<AgentSettings, "reloadCommand" | "reloadSignal" | "reloadPidFile">,
): ReloadHook | undefined {
  const { reloadCommand: command, reloadSignal: signal, reloadPidFile: pidFile } = settings;
  if (command !== "") return { kind: "command", command };
  return pidFile === "" ? undefined : { kind: "signal", signal, pidFile };
}

/** The kind of key to make for each SVID. */
export function workloadKeyType(settings: Pick<AgentSettings, "rsaKeySize" | "eccAlgorithm" | "eccCurve">): KeyType {
  if (settings.eccAlgorithm === "ECDSA") return settings.eccCurve === "P384" ? "P-384" : "P-256";
  return settings.rsaKeySize === undefined ? "P-256" : `RSA-${settings.rsaKeySize}`;
}
