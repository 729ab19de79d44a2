import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain, type SpiffeId } from "@signet/spiffe";
import { type CertificateChain, createCsr, generateKeyPair } from "@signet/x509";
import { CaError } from "../errors.ts";
import { issueSvid } from "../issue-svid.ts";
import { type Canary, createCanary } from "../signing/canary.ts";
import type { FailoverEvents } from "../signing/failover-events.ts";
import { createFailoverGroup, type FailoverGroup } from "../signing/failover-group.ts";
import type { FailoverGroupOptions } from "../signing/failover-options.ts";
import type { SigningCa } from "../signing-ca.ts";
import { type FakeSigningCa, fakeSigningCa, recordingEvents } from "../testing.ts";

export const intervalMs: number = 10_000;
export const sealed: CaError = new CaError("signer-unavailable", "sealed");

const nameOf = (account: string): SpiffeId => parseSpiffeId(`spiffe://cluster.local/ns/demo/sa/${account}`);
const limits = { defaultTtlMs: 3_600_000, maxTtlMs: 86_400_000 };
const key = await generateKeyPair("P-256");
const csrPem = createCsr({ key, spiffeId: nameOf("frontend") });
const canary: Canary = await createCanary({ trustDomain: parseTrustDomain("cluster.local") });

/** Everything a group told of, in order. */
export type ToldEvent = { readonly kind: keyof FailoverEvents; readonly [field: string]: unknown };

export type FailoverFixture = {
  readonly clock: FakeClock;
  readonly primary: FakeSigningCa;
  readonly standby: FakeSigningCa;
  readonly group: FailoverGroup;
  readonly told: readonly ToldEvent[];
  /** Has the group sign for a workload, as the CA server does; for one "frontend" unless another account is named. */
  issue(signal?: AbortSignal, account?: string): Promise<CertificateChain>;
  /** Which member signed a chain. */
  signerOf(chain: CertificateChain): "primary" | "standby" | "neither";
  /** Goes on by so many intervals. */
  rounds(count: number): Promise<void>;
  stop(): Promise<void>;
};

/** A group of two fakes whose task runs, with canaries exactly one interval apart. */
export async function failoverFixture(
  options: Partial<Omit<FailoverGroupOptions, "primary" | "standby" | "canary">> & {
    readonly primary?: FakeSigningCa;
    readonly standby?: FakeSigningCa;
    /** True leaves the clock at the start; else the group has had its first moments. */
    readonly justStarted?: boolean;
    /** What the group sees of the fakes. */
    readonly wrap?: (member: FakeSigningCa) => SigningCa;
  } = {},
): Promise<FailoverFixture> {
  const { wrap = (member) => member, justStarted = false, ...rest } = options;
  const primary = rest.primary ?? (await fakeSigningCa({ name: "vault", keyIsLocal: false }));
  const standby = rest.standby ?? (await fakeSigningCa({ name: "plugged-in" }));
  const clock = new FakeClock(new Date("2026-11-01T12:00:00Z"));
  const told: ToldEvent[] = [];
  const events: FailoverEvents = {
    switched: (event) => void told.push({ kind: "switched", ...event }),
    memberFailed: (event) => void told.push({ kind: "memberFailed", ...event }),
    memberRecovered: (event) => void told.push({ kind: "memberRecovered", ...event }),
  };
  const members = { primary: wrap(primary), standby: wrap(standby) };
  const group = createFailoverGroup({ intervalMs, ...rest, ...members, canary }, { clock, random: () => 0.5, events });
  const controller = new AbortController();
  const running = group.task.run(controller.signal).catch(() => undefined);
  // From here a round comes after each whole interval.
  if (!justStarted) await clock.advance(intervalMs / 2 - 1);
  return {
    ...{ clock, primary, standby, group, told },
    async issue(signal = new AbortController().signal, account = "frontend") {
      const dependencies = { signingCa: group, limits, clock, events: recordingEvents() };
      const request = { csrPem, requestedSeconds: 0n, caller: { spiffeId: nameOf(account), source: "token" } } as const;
      return (await issueSvid(request, dependencies, signal)).chain;
    },
    signerOf([leaf]) {
      const issuedBy = (ca: SigningCa): boolean =>
        ca.trustBundle
          .current()
          ?.authorities.some((root) => isKeyOf(root.subjectKeyIdentifier, leaf.authorityKeyIdentifier)) === true;
      if (issuedBy(primary)) return "primary";
      return issuedBy(standby) ? "standby" : "neither";
    },
    rounds: (count) => clock.advance(count * intervalMs),
    async stop() {
      controller.abort();
      await running;
    },
  };
}

function isKeyOf(key: Uint8Array | undefined, wanted: Uint8Array | undefined): boolean {
  return key !== undefined && wanted !== undefined && Buffer.compare(key, wanted) === 0;
}
