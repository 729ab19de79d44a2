import { CaError, type IssuedSvid, issueSvid, type SigningCaHealth } from "@signet/ca";
import { recordingEvents } from "@signet/ca/testing";
import { type Clock, firstValue, runGroup, systemClock } from "@signet/runtime";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair } from "@signet/x509";
import { createVaultCa, type VaultCa } from "../vault-ca.ts";
import type { VaultSettings } from "../vault-settings.ts";
import { type RecordedVaultEvents, recordingVaultEvents } from "./recording-vault-events.ts";

/** A CA behind Vault whose tasks run. */
export interface RunningVaultCa {
  readonly ca: VaultCa;
  readonly events: RecordedVaultEvents;
  /** Issues to spiffe://cluster.local/ns/demo/sa/frontend for an hour, with all the checks of the CA. */
  issue(csrPem?: string, signal?: AbortSignal): Promise<IssuedSvid>;
  /** A CSR as `issue` makes one when it is given none. */
  newCsr(): Promise<string>;
  /** The code of the CaError that `issue` ends with; "issued" when it does not. */
  outcome(csrPem?: string): Promise<string>;
  /** Resolves once health is "good", or has this reason; rejects after 20 seconds. */
  untilHealth(wanted: "good" | string): Promise<SigningCaHealth>;
  /** Resolves once `holds` does, asked at every event but single calls; rejects after 20 seconds. */
  untilEvents(holds: () => boolean): Promise<void>;
  /** Asks again and again until a certificate is issued; rejects after 20 seconds. */
  untilIssued(): Promise<void>;
  /** Asks again and again until `outcome` is this, and health has this reason if one is given. */
  untilOutcome(wanted: string, reason?: string): Promise<void>;
  /** Ends the tasks and closes the CA. */
  stop(): Promise<void>;
}

const never = new AbortController().signal;

/** Opens a CA and runs its tasks; it need not be ready yet. */
export async function runVaultCa(
  settings: VaultSettings,
  options: { readonly clock?: Clock } = {},
): Promise<RunningVaultCa> {
  const clock = options.clock ?? systemClock;
  const events = recordingVaultEvents();
  const ca = await createVaultCa(settings, { clock, random: Math.random, events });
  const stopping = new AbortController();
  const running = runGroup(ca.tasks, stopping.signal);

  async function issue(csrPem?: string, signal = never): Promise<IssuedSvid> {
    const csr = csrPem ?? (await newCsr());
    const limits = { defaultTtlMs: 3_600_000, maxTtlMs: 86_400_000 };
    const request = { csrPem: csr, requestedSeconds: 3600n, caller: { spiffeId: frontend, source: "token" } as const };
    return await issueSvid(request, { signingCa: ca, limits, clock, events: recordingEvents() }, signal);
  }

  async function outcome(csrPem?: string): Promise<string> {
    try {
      await issue(csrPem);
      return "issued";
    } catch (error) {
      if (error instanceof CaError) return error.code;
      throw error;
    }
  }

  return {
    ...{ ca, events, issue, outcome, newCsr },
    untilEvents: (holds) => poll(async () => holds()),
    untilIssued: () => poll(async () => (await outcome()) === "issued"),
    untilOutcome: (wanted, reason) =>
      poll(async () => {
        const reached = (await outcome()) === wanted;
        return reached && (reason === undefined || ca.health?.current()?.reason === reason);
      }),
    untilHealth: (wanted) => untilHealth(ca, wanted),
    async stop() {
      stopping.abort();
      await running;
      ca.close();
    },
  };
}

const frontend = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");

async function untilHealth(ca: VaultCa, wanted: string): Promise<SigningCaHealth> {
  const { health } = ca;
  if (health === undefined) throw new Error("CA has no health");
  const signal = AbortSignal.timeout(20_000);
  for await (const state of health.changes(signal)) {
    if (state.state === wanted || state.reason === wanted) return state;
  }
  throw new Error(`health is not ${wanted} but ${JSON.stringify(health.current())}`);
}

async function newCsr(): Promise<string> {
  return createCsr({ key: await generateKeyPair("P-256"), spiffeId: frontend });
}

/** In real time: what is waited for happens in Vault. */
async function poll(holds: () => Promise<boolean>): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  while (!(await holds())) await systemClock.sleep(20, signal);
}

/** Resolves once the CA has a trust bundle. */
export async function untilReady(running: RunningVaultCa): Promise<void> {
  await firstValue(running.ca.trustBundle, AbortSignal.timeout(20_000));
}
