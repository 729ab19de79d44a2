import { type Clock, createBackoff, createSource, type Random, type Source, type Task } from "@signet/runtime";
import { serialNumberHex, type TrustBundle, trustBundlesEqual } from "@signet/x509";
import { isTransient, VaultError } from "./errors.ts";
import { type HealthProblem, type HealthReport, reasonOf, type VaultHealthReason } from "./health-board.ts";
import type { RoleRecord } from "./mount-records.ts";
import { decideMountView, type MountView } from "./mount-view.ts";
import { type MountQuestion, readMount } from "./read-mount.ts";
import type { VaultEvents } from "./vault-events.ts";

/** What is known about the mount. */
export type MountFacts = {
  readonly view: MountView;
  /** Undefined where the policy does not let us read it. */
  readonly role: RoleRecord | undefined;
  readonly servingRole: RoleRecord | undefined;
};

/** Why nothing may be signed although the mount was fit to sign before. */
export type MountRefusal = { readonly reason: VaultHealthReason; readonly detail: string };

/** Follows the issuers and the roles of a PKI mount. */
export interface MountFollower {
  readonly task: Task;
  readonly trustBundle: Source<TrustBundle>;
  /** Undefined until all has been read once. */
  facts(): MountFacts | undefined;
  /** Set while what the mount says now is not acceptable; the facts are then those of before. */
  refusal(): MountRefusal | undefined;
  /** Something has changed on the mount: have it read soon instead of when it is due. */
  lookSoon(): void;
}

/** What a follower needs. */
export type MountFollowerDependencies = {
  readonly question: MountQuestion;
  /** Called before each look, for files that may have changed. */
  readonly beforeLook: () => Promise<void>;
  readonly refreshMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Pick<VaultEvents, "trustBundleChanged" | "issuerChanged" | "refreshFailed">;
  readonly report: HealthReport;
};

/** However often signatures look odd, the mount is read no more often than this. */
const leastBetweenMs = 2000;
const retryBackoff = { initialMs: 250, maxMs: 5_000, minMs: 100 };
/** How long what was read may be out of date before that is a problem, in refreshes. */
const staleAfterRefreshes = 3;

/** Returns a follower that knows nothing until its task runs. */
export function createMountFollower(dependencies: MountFollowerDependencies): MountFollower {
  const { question, clock, random, events, report, refreshMs } = dependencies;
  const trustBundle = createSource<TrustBundle>();
  const retries = createBackoff(retryBackoff, random);
  const doorbell = createDoorbell(clock);
  let facts: MountFacts | undefined;
  let refusal: MountRefusal | undefined;
  let readAt = 0;
  let told: string | undefined;

  /** An outage is one event, however often the mount is looked at meanwhile. */
  function tellOnce(event: { readonly reason: VaultHealthReason; readonly message: string }): void {
    const text = `${event.reason} ${event.message}`;
    if (told !== text) events.refreshFailed(event);
    told = text;
  }

  /** @throws VaultError when something could not be read */
  async function look(signal: AbortSignal): Promise<void> {
    await dependencies.beforeLook();
    const reading = await readMount(question, signal);
    const at = clock.now();
    const outcome = decideMountView({ ...reading, at });
    readAt = at.getTime();
    refusal = outcome.kind === "refused" ? outcome : undefined;
    if (outcome.kind === "refused") {
      tellOnce({ reason: outcome.reason, message: outcome.detail });
      report({ state: "failing", reason: outcome.reason });
      return;
    }
    told = undefined;
    adopt({ view: outcome.view, role: reading.role, servingRole: reading.servingRole });
    report(factsProblem(reading.role, outcome.view, at));
  }

  function adopt(next: MountFacts): void {
    const before = facts?.view;
    const bundle = trustBundle.current();
    const kept = bundle !== undefined && trustBundlesEqual(bundle, next.view.trustBundle);
    facts = next;
    const { issuer, notAfterLimit: notAfter } = next.view;
    if (before === undefined || Buffer.compare(before.issuer.der, issuer.der) !== 0) {
      events.issuerChanged({ serialNumber: serialNumberHex(issuer), notAfter });
    }
    // The same object for the same roots: what has been verified under it need not be verified again.
    if (kept) return;
    trustBundle.publish(next.view.trustBundle);
    const source = question.readPinned === undefined ? "mount" : "pinned file";
    events.trustBundleChanged({ roots: next.view.trustBundle.authorities.length, source });
  }

  function failed(error: VaultError): void {
    const reason = reasonOf(error);
    tellOnce({ reason, message: error.message });
    const stale = clock.now().getTime() - readAt > staleAfterRefreshes * refreshMs;
    if (facts === undefined) report({ state: "failing", reason });
    // A Vault that is away is seen by those who sign.
    else if (!isTransient(error)) report({ state: "degraded", reason });
    else if (stale) report({ state: "degraded", reason: "issuers-stale" });
  }

  async function run(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      let waitMs = refreshMs * (0.9 + 0.2 * random());
      try {
        await look(signal);
        retries.reset();
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof VaultError)) throw error;
        failed(error);
        waitMs = Math.min(error.retryAfterMs ?? retries.nextMs(), refreshMs);
      }
      await doorbell.wait({ atLeastMs: Math.min(leastBetweenMs, waitMs), atMostMs: waitMs }, signal);
    }
  }

  return {
    task: { name: "vault issuers", run },
    trustBundle,
    facts: () => facts,
    refusal: () => refusal,
    lookSoon: doorbell.ring,
  };
}

/** A wait that someone else can cut short. */
type Doorbell = {
  ring(): void;
  wait(ms: { readonly atLeastMs: number; readonly atMostMs: number }, signal: AbortSignal): Promise<void>;
};

function createDoorbell(clock: Clock): Doorbell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait({ atLeastMs, atMostMs }, signal) {
      await clock.sleep(atLeastMs, signal);
      const nap = new AbortController();
      wake = () => nap.abort();
      signal.addEventListener("abort", wake, { once: true });
      try {
        if (!rung) await clock.sleep(atMostMs - atLeastMs, nap.signal);
      } catch {
        signal.throwIfAborted();
      } finally {
        signal.removeEventListener("abort", wake);
        wake = undefined;
        rung = false;
      }
    },
  };
}

const dayMs = 86_400_000;

/** What is not as it should be although it signs. */
function factsProblem(role: RoleRecord | undefined, view: MountView, at: Date): HealthProblem | undefined {
  const lifetimeMs = view.issuer.notAfter.getTime() - view.issuer.notBefore.getTime();
  const leftMs = view.notAfterLimit.getTime() - at.getTime();
  // A fifth of its life, which is what people take to notice, and of long-lived ones a month.
  if (leftMs < Math.min(30 * dayMs, lifetimeMs / 5)) return { state: "degraded", reason: "issuer-expiring" };
  if (role === undefined) return { state: "degraded", reason: "role-unreadable" };
  return role.usesCsrNames ? { state: "degraded", reason: "role-unsafe" } : undefined;
}
