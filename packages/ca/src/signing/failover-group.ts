import { type Clock, createSource, type Publisher, type Random, type Source, type Task } from "@signet/runtime";
import type { Certificate, CertificateChain, PublicKeyInfo, TrustBundle } from "@signet/x509";
import type { SigningCa, SigningCaHealth, SigningRequest } from "../signing-ca.ts";
import type { FailoverEvents, SwitchedEvent } from "./failover-events.ts";
import { failoverHealth } from "./failover-health.ts";
import { FailoverMember, type FailoverRole, isOutage } from "./failover-member.ts";
import {
  type FailoverGroupOptions,
  type FailoverPatience,
  failoverPatience,
  longestCanaryMs,
  startMs,
} from "./failover-options.ts";
import { RootAges } from "./root-ages.ts";
import { unionRevocationLists } from "./union-revocation-lists.ts";
import { unionTrustBundle } from "./union-trust-bundle.ts";

/** What a failover group needs. */
export type FailoverGroupDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: FailoverEvents;
};

/** Two signing CAs as one. */
export interface FailoverGroup extends SigningCa {
  readonly health: Source<SigningCaHealth>;
  /** Asks both members for a canary signature; nothing comes back to the primary while it does not run. */
  readonly task: Task;
  /** Who signs now. */
  active(): FailoverRole;
}

/**
 * Returns a signing CA that signs with `primary`, and with `standby` while the primary fails.
 *
 * The trust bundle is the union of both at all times, so peers know the standby's roots before it is needed. The standby
 * takes over after failed canaries in a row; calls that find the primary away count like one canary, however many fail
 * at once, and a call that was under way then is signed by the other. Those of one caller count once between two good
 * canaries, and a refusal only if a canary got it: no single caller must bring about that the standby signs. The primary comes back after good
 * canaries in a row. No two switches come within one interval, except when the wall clock is set.
 *
 * A member whose roots are not known never signs; a chain that leads to no root of the union is refused like any other
 * mismatch. `keyIsLocal` is false: whoever signed, the signature is verified. A lifetime may be cut to what the member
 * can vouch for.
 * @throws RuntimeError `argument-invalid`
 * @example
 * ```ts
 * import { type Canary, createFailoverGroup, type FailoverEvents, type SigningCa } from "@signet/ca";
 * import { systemClock } from "@signet/runtime";
 * export function withStandby(primary: SigningCa, standby: SigningCa, canary: Canary, events: FailoverEvents) {
 *   const dependencies = { clock: systemClock, random: Math.random, events };
 *   return createFailoverGroup({ primary, standby, canary }, dependencies);
 * }
 * ```
 */
export function createFailoverGroup(
  options: FailoverGroupOptions,
  dependencies: FailoverGroupDependencies,
): FailoverGroup {
  return new Group(options, dependencies);
}

class Group implements FailoverGroup {
  readonly name = "failover";
  readonly keyIsLocal = false;
  readonly canaryTtlMs: number;
  readonly notAfterToleranceMs: number;
  readonly trustBundle: Source<TrustBundle>;
  readonly revocationLists: Source<string>;
  readonly health: Publisher<SigningCaHealth>;
  readonly task: Task = { name: "failover", run: (signal) => this.#watch(signal) };
  readonly #primary: FailoverMember;
  readonly #standby: FailoverMember;
  readonly #options: FailoverPatience;
  readonly #dependencies: FailoverGroupDependencies;
  readonly #rootAges: RootAges;
  #active: FailoverMember;
  #lastSwitchMs = Number.NEGATIVE_INFINITY;
  readonly #startedMs: number;

  constructor(options: FailoverGroupOptions, dependencies: FailoverGroupDependencies) {
    const { primary, standby, ...rest } = options;
    this.#options = failoverPatience(rest);
    this.#dependencies = dependencies;
    this.trustBundle = unionTrustBundle(primary.trustBundle, standby.trustBundle);
    this.revocationLists = unionRevocationLists(primary.revocationLists, standby.revocationLists);
    this.canaryTtlMs = Math.max(primary.canaryTtlMs ?? 60_000, standby.canaryTtlMs ?? 60_000);
    this.notAfterToleranceMs = Math.max(primary.notAfterToleranceMs ?? 0, standby.notAfterToleranceMs ?? 0);
    this.#primary = new FailoverMember("primary", primary);
    this.#standby = new FailoverMember("standby", standby);
    this.#rootAges = new RootAges(this.trustBundle.current());
    this.#active = this.#primary;
    this.#startedMs = dependencies.clock.now().getTime();
    this.health = createSource(this.#judgeHealth());
  }

  active(): FailoverRole {
    return this.#active.role;
  }

  notAfterLimit(): Date | undefined {
    const now = this.#dependencies.clock.now();
    const ready = [this.#active, this.#other()].find((member) => member.notReady(now) === undefined);
    return (ready ?? this.#active).signingCa.notAfterLimit();
  }

  signingKeyInfo(): PublicKeyInfo | undefined {
    return this.#active.signingCa.signingKeyInfo();
  }

  chain(): readonly Certificate[] {
    return this.#active.signingCa.chain();
  }

  async sign(request: SigningRequest, signal: AbortSignal): Promise<CertificateChain> {
    signal.throwIfAborted();
    const { clock } = this.#dependencies;
    const member = this.#memberToAsk();
    const failuresBefore = member.failures;
    try {
      return await member.sign(request, clock.now(), signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isOutage(error)) throw error;
      // Calls that were under way together fail together: that is one failure, not many.
      if (member.failures === failuresBefore && member.failsFirstFor(request)) this.#noteFailure(member, error);
      this.#decide();
      if (this.#active === member) throw error;
      return await this.#active.sign(request, clock.now(), signal);
    }
  }

  #other(): FailoverMember {
    return this.#active === this.#primary ? this.#standby : this.#primary;
  }

  /** The member that signs; the other one, from now on, when that cannot even be asked and has had the time to start. */
  #memberToAsk(): FailoverMember {
    const now = this.#dependencies.clock.now();
    const problem = this.#active.notReady(now);
    const isStarting = Math.abs(now.getTime() - this.#startedMs) < startMs;
    if (problem !== undefined && !isStarting && this.#canTakeOver(this.#other())) {
      this.#switchTo(this.#other(), "signer-not-ready", problem);
    }
    return this.#active;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#dependencies;
    const { intervalMs } = this.#options;
    // Replicas that start together must not ask together.
    await clock.sleep(random() * intervalMs, signal);
    while (!signal.aborted) {
      await Promise.all([this.#probe(this.#primary, signal), this.#probe(this.#standby, signal)]);
      this.#rootAges.note(this.trustBundle.current(), clock.now());
      this.#memberToAsk();
      this.#decide();
      await clock.sleep(intervalMs * (0.8 + 0.4 * random()), signal);
    }
  }

  async #probe(member: FailoverMember, signal: AbortSignal): Promise<void> {
    const { clock, events } = this.#dependencies;
    const { canary, intervalMs, successesToReturn } = this.#options;
    const deadlineMs = Math.min(intervalMs, longestCanaryMs);
    const failure = await member.canaryFailure({ canary, clock, deadlineMs }, signal);
    if (failure !== undefined) return this.#noteFailure(member, failure);
    member.noteGoodCanary();
    if (!member.reportedFailing || member.goodCanaries < successesToReturn) return;
    member.reportedFailing = false;
    events.memberRecovered({ member: member.role, signingCa: member.signingCa.name });
  }

  #noteFailure(member: FailoverMember, error: unknown): void {
    member.noteFailure(error);
    if (member.reportedFailing || member.failures < this.#options.failuresToSwitch) return;
    member.reportedFailing = true;
    this.#dependencies.events.memberFailed({ member: member.role, signingCa: member.signingCa.name, error });
  }

  #decide(): void {
    const { failuresToSwitch, successesToReturn } = this.#options;
    const other = this.#other();
    if (this.#active.failures >= failuresToSwitch && this.#canTakeOver(other)) {
      this.#switchTo(other, "signer-failed", this.#active.lastError);
    } else if (other === this.#primary && other.goodCanaries >= successesToReturn && this.#canComeBack(other)) {
      this.#switchTo(other, "primary-recovered");
    }
    this.#publishHealth();
  }

  /** A member that failed when it was asked last would only fail more. */
  #canTakeOver(member: FailoverMember): boolean {
    return member.failures === 0 && member.notReady(this.#dependencies.clock.now()) === undefined;
  }

  #canComeBack(member: FailoverMember): boolean {
    return this.#canTakeOver(member) && this.#isSettled(member);
  }

  /** Whether peers have had the time to learn of the member's roots. */
  #isSettled({ signingCa }: FailoverMember): boolean {
    const now = this.#dependencies.clock.now();
    const bundle = signingCa.trustBundle.current();
    return bundle !== undefined && this.#rootAges.youngestMs(bundle, now) >= this.#options.settleMs;
  }

  #switchTo(to: FailoverMember, cause: SwitchedEvent["cause"], error?: unknown): void {
    const nowMs = this.#dependencies.clock.now().getTime();
    // A wall clock that was set back says nothing about how long ago the last switch was.
    if (Math.abs(nowMs - this.#lastSwitchMs) < this.#options.intervalMs) return;
    const from = this.#active;
    this.#lastSwitchMs = nowMs;
    this.#active = to;
    this.#dependencies.events.switched({
      from: from.role,
      to: to.role,
      cause,
      ...(error === undefined ? {} : { error }),
    });
    this.#publishHealth();
  }

  #publishHealth(): void {
    const health = this.#judgeHealth();
    const before = this.health.current();
    if (health.state !== before?.state || health.reason !== before.reason) this.health.publish(health);
  }

  #judgeHealth(): SigningCaHealth {
    return failoverHealth({
      active: this.#active.role,
      primary: this.#primary.signingCa,
      primarySigns: this.#signs(this.#primary),
      standbySigns: this.#signs(this.#standby),
      primarySettled: this.#isSettled(this.#primary),
      listsOfOne: this.#primary.publishesLists() !== this.#standby.publishesLists(),
    });
  }

  #signs(member: FailoverMember): boolean {
    const ready = member.notReady(this.#dependencies.clock.now()) === undefined;
    return ready && member.failures < this.#options.failuresToSwitch;
  }
}
