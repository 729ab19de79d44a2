import type { Logger } from "@signet/runtime";

/** One row of the section "Authorization server" of docs/events.md: a constant message, its level and the facts it carries. */
export type AuthzEvent = {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: readonly string[];
};

/** Every event that the authorization server logs; a test compares this table with docs/events.md. */
export const authzEvents = {
  serverStarted: {
    level: "info",
    message: "authorization server started",
    fields: ["address", "socket", "httpAddress", "statusAddress", "policies"],
  },
  serverStopping: { level: "info", message: "authorization server stopping", fields: [] },
  serverStopped: { level: "info", message: "authorization server stopped", fields: [] },
  serverFailed: { level: "error", message: "authorization server failed", fields: ["error"] },
  shutdownStepFailed: { level: "error", message: "shutdown step failed", fields: ["step", "error"] },
  failuresAllowed: {
    level: "warn",
    message: "requests about which nothing can be decided in time are let through",
    fields: [],
  },
  documentsLoaded: {
    level: "info",
    message: "documents in force",
    fields: ["files", "documents", "refused", "kept"],
  },
  documentRefused: {
    level: "error",
    message: "document cannot be used and never could, what it selects is denied",
    fields: ["problem"],
  },
  documentKept: {
    level: "error",
    message: "document cannot be used, its last good version stays in force",
    fields: ["problem"],
  },
  policyProblem: { level: "warn", message: "policy cannot be taken as it is written", fields: ["problem"] },
  documentsUnreadable: {
    level: "error",
    message: "documents cannot be read, the last ones stay in force",
    fields: ["path", "error"],
  },
  decision: {
    level: "info",
    message: "request decided",
    fields: [
      "effect",
      "reason",
      "policyId",
      "provider",
      "audit",
      "namespace",
      "method",
      "host",
      "path",
      "peerPrincipal",
      "requestPrincipal",
      "remoteAddress",
      "durationMs",
      "suppressed",
    ],
  },
  checkFailed: {
    level: "warn",
    message: "nothing could be decided about a request",
    fields: ["cause", "onFailure", "error", "suppressed"],
  },
  workloadUnknown: {
    level: "warn",
    message: "request refused, nobody can tell which workload it is for",
    fields: ["why", "suppressed"],
  },
  providerFailed: {
    level: "warn",
    message: "CUSTOM provider gave no answer",
    fields: ["provider", "failOpen", "error", "suppressed"],
  },
  keysFetchFailed: { level: "warn", message: "keys of an issuer cannot be fetched", fields: ["issuer", "error"] },
} as const;

/** The facts that an event must be given, no more and no fewer. */
export type FieldsOf<E extends AuthzEvent> = { readonly [Field in E["fields"][number]]: unknown };

/** Writes one event of the table. */
export function logEvent<E extends AuthzEvent>(logger: Logger, event: E, fields: FieldsOf<E>): void {
  logger[event.level](event.message, fields);
}
