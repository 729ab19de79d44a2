import type { SigningCaHealth } from "@signet/ca";
import { createSource, type Source } from "@signet/runtime";
import type { VaultError } from "./errors.ts";

/** Why a CA behind Vault may not do as it should; docs/vault.md has a sentence for each. */
export const vaultHealthReasons = [
  "starting",
  "vault-sealed",
  "vault-standby",
  "vault-unreachable",
  "vault-untrusted",
  "vault-slow",
  "vault-failing",
  "rate-limited",
  "overloaded",
  "permission-denied",
  "login-refused",
  "token-expired",
  "token-expiring",
  "credentials-unreadable",
  "role-missing",
  "role-refuses",
  "role-unsafe",
  "role-unreadable",
  "issuer-missing",
  "issuer-unusable",
  "issuer-untrusted",
  "issuer-expired",
  "issuer-expiring",
  "issuers-stale",
  "pinned-root-unusable",
] as const;

/** One of these reasons. */
export type VaultHealthReason = (typeof vaultHealthReasons)[number];

/** What one part has to say; nothing when all is well. */
export type HealthProblem = { readonly state: "degraded" | "failing"; readonly reason: VaultHealthReason };

/** The parts that can have problems, the one to be named first in front. */
export type HealthPart = "session" | "issuers" | "signing";

/** Says how one part does, from now on. */
export type HealthReport = (problem: HealthProblem | undefined) => void;

/** The health of the parts and of the whole. */
export interface HealthBoard {
  readonly health: Source<SigningCaHealth>;
  report(part: HealthPart, problem: HealthProblem | undefined): void;
}

/** Returns a board on which everything is starting. */
export function createHealthBoard(): HealthBoard {
  const problems = new Map<HealthPart, HealthProblem>([["issuers", { state: "failing", reason: "starting" }]]);
  const health = createSource<SigningCaHealth>(worst(problems));
  return {
    health,
    report(part, problem) {
      if (problem === undefined) problems.delete(part);
      else problems.set(part, problem);
      const next = worst(problems);
      const before = health.current();
      if (before?.state !== next.state || before.reason !== next.reason) health.publish(next);
    },
  };
}

const order: readonly HealthPart[] = ["session", "issuers", "signing"];

function worst(problems: ReadonlyMap<HealthPart, HealthProblem>): SigningCaHealth {
  const listed = order.flatMap((part) => problems.get(part) ?? []);
  // While it starts, whatever else there is to say explains why.
  const telling = listed.filter(({ reason }) => reason !== "starting");
  const all = telling.length > 0 ? telling : listed;
  return all.find(({ state }) => state === "failing") ?? all[0] ?? { state: "good" };
}

/** The reason that an error stands for, for whoever met it. */
export function reasonOf(error: VaultError): VaultHealthReason {
  switch (error.code) {
    case "sealed":
      return "vault-sealed";
    case "standby":
      return "vault-standby";
    case "unreachable":
    case "circuit-open":
      return "vault-unreachable";
    case "tls-failed":
    case "redirect-refused":
      return "vault-untrusted";
    case "deadline-exceeded":
      return "vault-slow";
    case "response-too-large":
    case "response-malformed":
    case "unavailable":
      return "vault-failing";
    case "rate-limited":
      return "rate-limited";
    case "overloaded":
      return "overloaded";
    case "permission-denied":
      return "permission-denied";
    case "login-refused":
      return "login-refused";
    case "config-invalid":
      return "credentials-unreadable";
    case "not-found":
    case "role-missing":
      return "role-missing";
    case "issuer-missing":
    case "pinned-root-unusable":
      return error.code;
    case "refused":
      return "role-refuses";
  }
}
