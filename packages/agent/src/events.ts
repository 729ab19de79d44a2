import type { Logger } from "@signet/runtime";

/** One row of the Agent section of docs/events.md: a constant message, its level and the facts it carries. */
export type AgentEvent = {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: readonly string[];
};

/** Every event that the agent logs; a test compares this table with docs/events.md. */
export const agentEvents = {
  agentStarted: {
    level: "info",
    message: "agent started",
    fields: ["caAddress", "socket", "statusAddress", "requestedTtlSeconds"],
  },
  agentStopping: { level: "info", message: "agent stopping", fields: [] },
  agentStopped: { level: "info", message: "agent stopped", fields: [] },
  shutdownStepFailed: { level: "error", message: "shutdown step failed", fields: ["step", "error"] },
  agentFailed: { level: "error", message: "agent failed", fields: ["error"] },
  plaintextCa: { level: "warn", message: "the token is sent to the CA in plain text", fields: ["caAddress"] },
  tokenUnavailable: {
    level: "warn",
    message: "no usable token, asking the CA without one",
    fields: ["tokenFile", "reason"],
  },
  caConnectionOpened: { level: "debug", message: "CA connection opened", fields: ["caAddress", "serverName"] },
  caSwitched: {
    level: "warn",
    message: "CA cannot be reached, asking another address",
    fields: ["caAddress", "error"],
  },
  svidIssued: {
    level: "info",
    message: "SVID issued",
    fields: ["spiffeId", "serialNumber", "notBefore", "notAfter", "renewAt", "attempt", "durationMs", "authorities"],
  },
  svidRequestFailed: {
    level: "warn",
    message: "SVID request failed, the current SVID stays in use",
    fields: ["error", "attempt", "durationMs", "retryInMs", "notAfter"],
  },
  svidMissing: {
    level: "error",
    message: "SVID request failed and there is no valid SVID",
    fields: ["error", "attempt", "durationMs", "retryInMs", "notAfter"],
  },
  svidHeld: {
    level: "warn",
    message: "new SVID is not valid yet by our clock, the current one stays in use",
    fields: ["notBefore", "publishAt"],
  },
  svidEarly: {
    level: "warn",
    message: "SVID is not valid yet by our clock, serving it all the same",
    fields: ["notBefore"],
  },
  clockSkewed: {
    level: "error",
    message: "our clock and the CA's differ by so much that peers may refuse each other",
    fields: ["clockAheadMs"],
  },
  spiffeIdUnexpected: {
    level: "warn",
    message: "the CA issued another SPIFFE ID than the agent's settings name",
    fields: ["requestedSpiffeId", "spiffeId"],
  },
  spiffeIdChanged: {
    level: "warn",
    message: "SPIFFE ID changed with the rotation",
    fields: ["previousSpiffeId", "spiffeId"],
  },
  trustBundleChanged: { level: "info", message: "trust bundle changed", fields: ["authorities", "subjects"] },
  mountedRootsAdded: {
    level: "info",
    message: "mounted roots are served that did not come with the SVID",
    fields: ["path", "subjects"],
  },
  mountedRootsUnreadable: {
    level: "warn",
    message: "mounted roots cannot be read, those before stay",
    fields: ["path", "error"],
  },
  trustBundleSkipped: {
    level: "warn",
    message: "part of the trust bundle cannot be parsed and is left out",
    fields: ["skipped"],
  },
  socketDirectoryShared: {
    level: "warn",
    message: "the directory of a socket can be written by others",
    fields: ["directory", "mode"],
  },
  socketRemade: { level: "warn", message: "a socket was gone and is made anew", fields: ["socket", "reason"] },
  socketLost: {
    level: "error",
    message: "a socket is gone and cannot be made anew",
    fields: ["socket", "reason", "error"],
  },
  sdsStreamOpened: { level: "debug", message: "SDS stream opened", fields: ["streamId"] },
  sdsStreamClosed: { level: "debug", message: "SDS stream closed", fields: ["streamId", "nodeId"] },
  sdsResponseSent: {
    level: "debug",
    message: "SDS response sent",
    fields: ["streamId", "nodeId", "names", "versionInfo"],
  },
  sdsResponseRejected: {
    level: "warn",
    message: "SDS response rejected by the client",
    fields: ["streamId", "nodeId", "versionInfo", "reason", "suppressed"],
  },
  sdsNameUnknown: {
    level: "warn",
    message: "SDS client asks for a secret this agent does not have",
    fields: ["streamId", "nodeId", "name"],
  },
  secretFilesLoaded: { level: "info", message: "secret files loaded", fields: ["name"] },
  secretFilesUnusable: {
    level: "warn",
    message: "secret files cannot be used, what was read before stays in use",
    fields: ["name", "error"],
  },
  secretFilesTooMany: {
    level: "warn",
    message: "more secret files are asked for than are followed",
    fields: ["name", "limit"],
  },
  identityRestored: {
    level: "info",
    message: "SVID of an earlier start is in use until there is a new one",
    fields: ["spiffeId", "serialNumber", "notBefore", "notAfter", "authorities"],
  },
  identityFilesLoaded: {
    level: "info",
    message: "SVID read from files",
    fields: ["spiffeId", "serialNumber", "notBefore", "notAfter", "authorities"],
  },
  identityFilesUnusable: {
    level: "error",
    message: "the files hold no SVID that can be served, the one before stays in use",
    fields: ["error"],
  },
  identityCacheUnusable: {
    level: "warn",
    message: "no SVID can be kept over a restart, or the one that was kept cannot be used",
    fields: ["error"],
  },
  filesWritten: { level: "info", message: "certificate files written", fields: ["directory"] },
  filesFailed: {
    level: "error",
    message: "certificate files cannot be written, those before stay",
    fields: ["directory", "error", "retryInMs"],
  },
  reloadDone: { level: "debug", message: "program told of new certificate files", fields: [] },
  reloadFailed: {
    level: "error",
    message: "program cannot be told of new certificate files",
    fields: ["error", "retryInMs"],
  },
  workloadApiOpened: { level: "debug", message: "Workload API stream opened", fields: ["method"] },
  workloadApiClosed: { level: "debug", message: "Workload API stream closed", fields: ["method"] },
  workloadApiSent: { level: "debug", message: "Workload API response sent", fields: ["method"] },
  workloadApiRefused: {
    level: "warn",
    message: "Workload API client refused, it sends no workload.spiffe.io header",
    fields: ["method"],
  },
  workloadApiFailed: { level: "warn", message: "Workload API stream failed", fields: ["error"] },
  sdsStreamFailed: { level: "warn", message: "SDS stream failed", fields: ["error"] },
} as const;

/** The facts that an event must be given, no more and no fewer. */
export type FieldsOf<E extends AgentEvent> = { readonly [Field in E["fields"][number]]: unknown };

/** Writes one event of the table. */
export function logEvent<E extends AgentEvent>(logger: Logger, event: E, fields: FieldsOf<E>): void {
  logger[event.level](event.message, fields);
}
