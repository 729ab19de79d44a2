import { type Clock, withDeadline } from "@signet/runtime";
import type { CertificateChain } from "@signet/x509";
import { CaError } from "../errors.ts";
import type { SigningCa, SigningRequest } from "../signing-ca.ts";
import { type Canary, signCanary } from "./canary.ts";

/** A place in a failover group. */
export type FailoverRole = "primary" | "standby";

const maxRemembered = 1_000;

/** One signing CA of a failover group, and how it has done of late. */
export class FailoverMember {
  readonly role: FailoverRole;
  readonly signingCa: SigningCa;
  /** Since the last good canary: of canaries, and of calls of one caller each. */
  failures = 0;
  /** For whom calls failed since the last good canary, as far as they counted. */
  readonly #failedFor = new Set<string>();
  /** In a row. */
  goodCanaries = 0;
  lastError: unknown;
  /** Whether its failing has been told of. */
  reportedFailing = false;

  constructor(role: FailoverRole, signingCa: SigningCa) {
    this.role = role;
    this.signingCa = signingCa;
  }

  /** Why it cannot sign at `now`, as far as is known without asking it; a CA whose roots nobody knows must not. */
  notReady(now: Date): CaError | undefined {
    const { name, trustBundle } = this.signingCa;
    const limit = this.signingCa.notAfterLimit();
    if (trustBundle.current() === undefined) return new CaError("ca-not-ready", `${name} CA has no trust bundle yet`);
    if (limit === undefined) return new CaError("ca-not-ready", `${name} CA has no signing certificate yet`);
    if (limit <= now) return new CaError("ca-expired", `${name} CA expired at ${limit.toISOString()}`);
    return undefined;
  }

  /** Signs for as long as is asked and it can vouch, which may be less than the other member could. */
  async sign(request: SigningRequest, now: Date, signal: AbortSignal): Promise<CertificateChain> {
    const problem = this.notReady(now);
    if (problem !== undefined) throw problem;
    const { template } = request;
    const limit = wholeSeconds(this.signingCa.notAfterLimit() ?? now);
    const shortened = template.notAfter > limit ? { ...request, template: { ...template, notAfter: limit } } : request;
    return await this.signingCa.sign(shortened, signal);
  }

  /** What a canary signature, checked under the member's own roots, failed with; undefined when it was good. Rejects with `signal.reason` when aborted. */
  async canaryFailure(
    { canary, clock, deadlineMs }: { readonly canary: Canary; readonly clock: Clock; readonly deadlineMs: number },
    signal: AbortSignal,
  ): Promise<unknown> {
    const problem = this.notReady(clock.now());
    if (problem !== undefined) return problem;
    try {
      const deadline = { clock, ms: deadlineMs, what: `canary signature of the ${this.role}` };
      await withDeadline(deadline, (each) => signCanary(this.signingCa, { canary, clock }, each), signal);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      return error;
    }
  }

  /** Whether a call for these names fails for the first time since the last good canary; from then on it is noted. */
  failsFirstFor({ template }: SigningRequest): boolean {
    const names = JSON.stringify(template.subjectAltNames);
    if (this.#failedFor.has(names)) return false;
    // Who else it fails for is of no interest then.
    if (this.#failedFor.size < maxRemembered) this.#failedFor.add(names);
    return true;
  }

  publishesLists(): boolean {
    return (this.signingCa.revocationLists?.current() ?? "") !== "";
  }

  noteGoodCanary(): void {
    this.failures = 0;
    this.#failedFor.clear();
    this.goodCanaries++;
  }

  noteFailure(error: unknown): void {
    this.failures++;
    this.goodCanaries = 0;
    this.lastError = error;
  }
}

/** Only what says that the backend is away; what it says about one request is for that request. */
export function isOutage(error: unknown): boolean {
  return error instanceof CaError && error.code === "signer-unavailable";
}

function wholeSeconds(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / 1000) * 1000);
}
