import { type Random, runGroup } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import {
  createWorkloadIdentity,
  type IdentityEvents,
  type WorkloadIdentity,
  type WorkloadIdentityOptions,
} from "../identity/workload-identity.ts";
import { type FakeAnswer, type FakeCaClient, fakeCaClient } from "./fake-ca-client.ts";

/** When every fake rotation begins. */
export const rotationStart: Date = new Date("2026-03-01T12:00:00Z");

/** One rotation on a fake clock with a fake CA, and what it told. */
export interface Rotation {
  readonly ca: FakeCaClient;
  readonly clock: FakeClock;
  readonly failures: readonly (Parameters<IdentityEvents["failed"]>[0] & { readonly at: Date })[];
  readonly early: readonly Parameters<IdentityEvents["early"]>[0][];
  readonly mostAtOnce: () => number;
  current(): WorkloadIdentity | undefined;
  /** Lets so much time pass, in steps small enough for every timer; an attempt under way ends before time goes on. */
  elapse(ms: number, stepMs?: number): Promise<void>;
  /** The same while nobody answers. */
  elapseInSilence(ms: number): Promise<void>;
  /** Lets real work end, at the same fake instant. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a rotation of ten-second certificates, renewed at exactly half, unless told otherwise. */
export async function startRotation(
  options: Partial<WorkloadIdentityOptions> & { readonly answer?: FakeAnswer; readonly random?: Random } = {},
): Promise<Rotation> {
  const { answer, random = () => 0.5, ...rest } = options;
  const clock = new FakeClock(rotationStart);
  const ca = await fakeCaClient({ clock });
  ca.answerWith(answer);
  const failures: Rotation["failures"][number][] = [];
  const early: Rotation["early"][number][] = [];
  let requested = 0;
  let open = 0;
  let mostOpen = 0;
  const { identity, task } = createWorkloadIdentity(
    {
      keyType: "P-256",
      ttlSeconds: 10,
      caBackdatingMs: 120_000,
      rotation: { graceRatio: 0.5, graceRatioJitter: 0 },
      ...rest,
    },
    {
      caClient: ca,
      requestedSpiffeId: async () => parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend"),
      events: {
        requested() {
          requested += 1;
          open += 1;
          mostOpen = Math.max(mostOpen, open);
        },
        issued() {
          open -= 1;
        },
        failed(event) {
          open -= 1;
          failures.push({ ...event, at: clock.now() });
        },
        early: (event) => void early.push(event),
      },
      clock,
      random,
    },
  );
  const stop = new AbortController();
  const ended = runGroup([task], stop.signal);

  async function settle(): Promise<void> {
    do await new Promise(setImmediate);
    while (open > 0);
    await new Promise(setImmediate);
  }

  const rotation: Rotation = {
    ca,
    clock,
    failures,
    early,
    mostAtOnce: () => mostOpen,
    current: () => identity.current(),
    settle,
    async elapse(ms, stepMs = 25) {
      await settle();
      for (let left = ms; left > 0; left -= stepMs) {
        await clock.advance(Math.min(left, stepMs));
        await settle();
      }
    },
    async elapseInSilence(ms) {
      for (let left = ms; left > 0; left -= 25) {
        await clock.advance(Math.min(left, 25));
        // Making a key is real work; time stands still until the request has reached the CA.
        while (ca.requests.length < requested) await new Promise(setImmediate);
      }
    },
    async stop() {
      stop.abort();
      await ended;
    },
  };
  await settle();
  return rotation;
}

/** The identity, which by now there must be. */
export function served(rotation: Rotation): WorkloadIdentity {
  const current = rotation.current();
  if (current === undefined) throw new Error("no identity is published");
  return current;
}
