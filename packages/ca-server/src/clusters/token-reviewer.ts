import { createHash } from "node:crypto";
import { CaError } from "@signet/ca";
import { decodeJwtUnverified } from "@signet/jwt";
import type { KubernetesApi, TokenReviewStatus, TokenUser } from "@signet/kubernetes";
import { type Clock, withDeadline } from "@signet/runtime";
import { parseServiceAccountSubject } from "../authenticators/service-account-id.ts";
import { createFairAdmission } from "./fair-admission.ts";
import { createSharedFlights } from "./shared-flights.ts";
import { type TokenChecker, type TokenHolder, type TokenVerdict, tokenDefect } from "./token-checker.ts";
import { createVerdictCache } from "./verdict-cache.ts";

/** How tokens are reviewed. */
export type TokenReviewerOptions = {
  readonly api: Pick<KubernetesApi, "reviewToken">;
  /** A token must be for one of them, by the API server's own word. */
  readonly audiences: readonly string[];
  /** How long the API server's yes counts, in milliseconds, though never past the token's `exp`; 0 asks it every time. */
  readonly cacheTtlMs: number;
};

const deadlineMs = 5_000;
/** A no counts for as long as a client that retries at once would ask again. */
const refusalTtlMs = 1_000;
const maxCached = 10_000;
/** In a cache of their own: made-up tokens must not drive out what the API server has said of good ones. */
const maxRefusalsCached = 1_000;
/** Istiod's limit is one of rate: 80 calls a second for everything it asks. */
const limits = { maxConcurrent: 128, maxQueued: 1_024 };

/**
 * Asks the API server whose a token is (TokenReview). It is asked once for all who show the same token at the same time,
 * its answer counts for a short while, and its silence of five seconds, like any failure of its, is no answer. Those who wait for
 * it share the places by their hosts.
 *
 * The audiences of the answer are checked: an API server that knows of none would vouch for a token for anybody. Tokens
 * are kept nowhere, only their SHA-256.
 */
export function createTokenReviewer(options: TokenReviewerOptions, clock: Clock): TokenChecker {
  const { api, audiences, cacheTtlMs } = options;
  const known = createVerdictCache({ maxEntries: maxCached }, clock);
  const refusals = createVerdictCache({ maxEntries: maxRefusalsCached }, clock);
  const flights = createSharedFlights<TokenVerdict>();
  const admission = createFairAdmission(limits);

  function remember(key: string, token: string, verdict: TokenVerdict): void {
    if (verdict.kind === "unavailable" || cacheTtlMs === 0) return;
    if (verdict.kind === "rejected") {
      refusals.set(key, verdict, { ttlMs: Math.min(refusalTtlMs, cacheTtlMs) });
      return;
    }
    const until = expiryOf(token);
    known.set(key, verdict, { ttlMs: cacheTtlMs, ...(until !== undefined && { until }) });
  }

  async function review({ key, token, peerAddress }: Shown, signal: AbortSignal): Promise<TokenVerdict> {
    const ask = (within: AbortSignal) =>
      admission.run(hostOf(peerAddress), () => api.reviewToken({ token, audiences }, within), within);
    try {
      const answer = await withDeadline({ clock, ms: deadlineMs, what: "TokenReview" }, ask, signal);
      const verdict = judge(answer, audiences);
      remember(key, token, verdict);
      return verdict;
    } catch (cause) {
      if (cause instanceof CaError) {
        return { kind: "unavailable", reason: "overloaded", cause: "too many tokens wait for their review" };
      }
      // Also where the API server refuses to be asked (403): then it has said nothing about the token.
      return { kind: "unavailable", reason: "api-server-unavailable", cause };
    }
  }

  return {
    async check(token, peerAddress, signal): Promise<TokenVerdict> {
      const defect = tokenDefect(token);
      if (defect !== undefined) return defect;
      const key = createHash("sha256").update(token).digest("base64");
      const verdict = known.get(key) ?? refusals.get(key);
      return verdict ?? (await flights.join(key, (within) => review({ key, token, peerAddress }, within), signal));
    },
  };
}

type Shown = { readonly key: string; readonly token: string; readonly peerAddress: string };

/** A peer has as many ports as it likes. */
function hostOf(peerAddress: string): string {
  return peerAddress.slice(0, Math.max(0, peerAddress.lastIndexOf(":"))) || peerAddress;
}

function judge(status: TokenReviewStatus, audiences: readonly string[]): TokenVerdict {
  // In istiod's order: an error counts even beside a yes.
  if (status.error !== undefined && status.error !== "") return refused("token-refused", status.error);
  if (!status.authenticated) return refused("token-refused", "the API server does not know the token");
  if (!status.audiences.some((audience) => audiences.includes(audience))) {
    return refused("audience-mismatch", `the API server names no audience out of ${audiences.join(", ")}`);
  }
  const holder = status.user && readHolder(status.user);
  if (holder === undefined) {
    return refused("subject-not-service-account", "the token is not that of a service account");
  }
  return { kind: "known", holder };
}

function refused(
  reason: "token-refused" | "audience-mismatch" | "subject-not-service-account",
  cause: string,
): TokenVerdict {
  return { kind: "rejected", reason, cause };
}

function readHolder({ username, groups, extra }: TokenUser): TokenHolder | undefined {
  if (!groups.includes("system:serviceaccounts")) return undefined;
  const account = parseServiceAccountSubject(username);
  if (account === undefined) return undefined;
  const first = (name: string): string | undefined => extra.get(`authentication.kubernetes.io/${name}`)?.[0];
  const [podName, podUid, nodeName] = [first("pod-name"), first("pod-uid"), first("node-name")];
  return {
    ...account,
    ...(podName !== undefined && podName !== "" && { podName }),
    ...(podUid !== undefined && podUid !== "" && { podUid }),
    ...(nodeName !== undefined && nodeName !== "" && { nodeName }),
  };
}

/** When a token that the API server vouches for expires by its own words; undefined for one that does not say. */
function expiryOf(token: string): Date | undefined {
  try {
    const { exp } = decodeJwtUnverified(token).claims;
    return typeof exp === "number" ? new Date(exp * 1000) : undefined;
  } catch {
    return undefined;
  }
}
