import { parseWorkload, type Workload } from "@signet/documents";
import { type HostPort, type LogLevel, logLevels, type Setting, type SettingsOf, setting } from "@signet/runtime";

/** What happens to a request about which nothing could be decided in time. */
export type OnFailure = "deny" | "error" | "allow";

/** Fields of the decision log that may be left out. */
export const redactableFields = ["path", "host", "peerPrincipal", "requestPrincipal", "remoteAddress"] as const;

/** One of `redactableFields`. */
export type RedactableField = (typeof redactableFields)[number];

/** What the authorization server can be told, as values. */
export type AuthzSettingValues = {
  readonly policies: string | undefined;
  readonly meshConfig: string | undefined;
  readonly namespace: string;
  readonly listen: HostPort | undefined;
  readonly socket: string;
  readonly socketMode: string;
  readonly httpListen: HostPort | undefined;
  readonly statusListen: HostPort;
  readonly workload: Workload | undefined;
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly profile: "istio" | "strict";
  readonly require: boolean;
  readonly passOpaqueTokens: boolean;
  readonly typedClaims: boolean;
  readonly jwtFirst: boolean;
  readonly trustedHops: number | undefined;
  readonly refusedCidrs: readonly string[];
  readonly deadlineMs: number;
  readonly maxConcurrentChecks: number;
  readonly onFailure: OnFailure;
  readonly decisionLog: "none" | "denied" | "all";
  readonly allowedSample: number;
  readonly redact: readonly RedactableField[];
  readonly logLevel: LogLevel;
};

/** Values of `authzSettings`. */
export type AuthzSettings = SettingsOf<typeof authzSettings>;

/**
 * Every setting of the authorization server.
 * @example
 * ```ts
 * import { authzSettings } from "@signet/authz-server";
 * import { settingsTable } from "@signet/runtime";
 * settingsTable(authzSettings);
 * ```
 */
export const authzSettings: { readonly [K in keyof AuthzSettingValues]: Setting<AuthzSettingValues[K]> } = {
  policies: setting.text({
    env: "SIGNET_AUTHZ_POLICIES",
    flag: "policies",
    description:
      "a file of Istio's documents, or a directory of them and those below it (.yaml, .yml, .json); followed",
  }),
  meshConfig: setting.text({
    env: "SIGNET_MESH_CONFIG",
    flag: "mesh-config",
    description:
      "a file with Istio's mesh config: trust domain and aliases, root namespace, extension providers, trusted proxies",
  }),
  namespace: setting.text({
    env: "SIGNET_AUTHZ_NAMESPACE",
    flag: "namespace",
    default: "default",
    description: "the namespace of documents that name none",
  }),
  listen: setting.hostPort({
    env: "SIGNET_AUTHZ_LISTEN",
    flag: "listen",
    description: "where to serve Check over gRPC, in plain text: 127.0.0.1:9191 where no socket is set either",
  }),
  socket: setting.text({
    env: "SIGNET_AUTHZ_SOCKET",
    flag: "socket",
    default: "",
    description: "Unix socket to serve Check over gRPC at",
  }),
  socketMode: setting.text({
    env: "SIGNET_AUTHZ_SOCKET_MODE",
    flag: "socket-mode",
    default: "0660",
    description: "mode of that socket, in octal",
  }),
  httpListen: setting.hostPort({
    env: "SIGNET_AUTHZ_HTTP_LISTEN",
    flag: "http-listen",
    description: "where to serve Envoy's HTTP variant of Check; nowhere unless set",
  }),
  statusListen: setting.hostPort({
    env: "SIGNET_AUTHZ_STATUS_LISTEN",
    flag: "status-listen",
    default: { host: "127.0.0.1", port: 9192 },
    description: "where to serve /ready and /metrics",
  }),
  workload: setting.parsed({
    env: "SIGNET_AUTHZ_WORKLOAD",
    flag: "workload",
    read: parseWorkload,
    placeholder: "<namespace/label=value,...>",
    description: "whose requests these are where Envoy does not say (context extension `workload`)",
  }),
  workloads: setting.json({
    env: "SIGNET_AUTHZ_WORKLOADS",
    flag: "workloads",
    read: readWorkloads,
    default: new Map(),
    description:
      'workloads by the SPIFFE ID of the destination, such as {"spiffe://td/ns/foo/sa/httpbin": "foo/app=httpbin"}',
  }),
  profile: setting.choice({
    env: "SIGNET_AUTHZ_PROFILE",
    flag: "profile",
    choices: ["istio", "strict"],
    default: "istio",
    description: "judge tokens as Envoy does, or as the RFCs would have it",
  }),
  require: setting.bool({
    env: "SIGNET_AUTHZ_REQUIRE_TOKEN",
    flag: "require-token",
    default: false,
    description: "refuse requests without a token with 401",
  }),
  passOpaqueTokens: setting.bool({
    env: "SIGNET_AUTHZ_PASS_OPAQUE_TOKENS",
    flag: "pass-opaque-tokens",
    default: false,
    description: "take what has not the form of a JWT for no token",
  }),
  typedClaims: setting.bool({
    env: "SIGNET_AUTHZ_TYPED_CLAIMS",
    flag: "typed-claims",
    default: false,
    description: "let policies match numbers and booleans of claims as text",
  }),
  jwtFirst: setting.bool({
    env: "SIGNET_AUTHZ_JWT_FIRST",
    flag: "jwt-first",
    default: false,
    description: "verify tokens before CUSTOM providers are asked",
  }),
  trustedHops: setting.integer({
    env: "SIGNET_AUTHZ_TRUSTED_HOPS",
    flag: "trusted-hops",
    min: 0,
    max: 100,
    description:
      "how many proxies before Envoy are believed in x-forwarded-for; the mesh config's numTrustedProxies unless set",
  }),
  refusedCidrs: setting.list({
    env: "BLOCKED_CIDRS_IN_JWKS_URIS",
    flag: "blocked-cidrs-in-jwks-uris",
    default: [],
    description: "ranges of addresses that keys are never fetched from, beside link-local and metadata addresses",
  }),
  deadlineMs: setting.duration({
    env: "SIGNET_AUTHZ_DEADLINE",
    flag: "deadline",
    default: 5_000,
    minMs: 1,
    maxMs: 600_000,
    description: "longest time for one request, keys and CUSTOM providers included",
  }),
  maxConcurrentChecks: setting.integer({
    env: "SIGNET_AUTHZ_MAX_CONCURRENT_CHECKS",
    flag: "max-concurrent-checks",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: "how many requests may wait for keys or providers at a time; those beyond have failed",
  }),
  onFailure: setting.choice({
    env: "SIGNET_AUTHZ_ON_FAILURE",
    flag: "on-failure",
    choices: ["deny", "error", "allow"],
    default: "deny",
    description:
      "what becomes of a request past the deadline or the limit: refused with 503 (over HTTP 403), left to Envoy's failure_mode_allow, or let through",
  }),
  decisionLog: setting.choice({
    env: "SIGNET_AUTHZ_DECISION_LOG",
    flag: "decision-log",
    choices: ["none", "denied", "all"],
    default: "denied",
    description: "which decisions are logged",
  }),
  allowedSample: setting.parsed({
    env: "SIGNET_AUTHZ_DECISION_LOG_SAMPLE",
    flag: "decision-log-sample",
    default: 1,
    read: parseShare,
    placeholder: "<0..1>",
    description: "share of the allowed requests that is logged with all",
  }),
  redact: setting.parsed({
    env: "SIGNET_AUTHZ_DECISION_LOG_REDACT",
    flag: "decision-log-redact",
    default: [],
    read: readRedact,
    placeholder: "<a,b,...>",
    description: `fields that the decision log leaves out, of ${redactableFields.join(", ")}; queries, headers and claims never are in it`,
  }),
  logLevel: setting.choice({
    env: "SIGNET_LOG_LEVEL",
    flag: "log-level",
    choices: logLevels,
    default: "info",
    description: "least level that is logged",
  }),
};

function readWorkloads(value: unknown): ReadonlyMap<string, Workload> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it is no object");
  return new Map(
    Object.entries(value).map(([principal, text]) => {
      if (typeof text !== "string") throw new Error("a workload is text such as foo/app=httpbin");
      return [principal, parseWorkload(text)];
    }),
  );
}

function parseShare(text: string): number {
  const share = Number(text);
  if (text.trim() === "" || !(share >= 0 && share <= 1)) throw new Error("a share is a number from 0 to 1");
  return share;
}

function readRedact(text: string): readonly RedactableField[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")
    .map((name) => {
      const field = redactableFields.find((one) => one === name);
      if (field === undefined) throw new Error(`there is no field ${JSON.stringify(name.slice(0, 100))}`);
      return field;
    });
}
