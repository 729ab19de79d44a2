import { errorCode, type Random, runGroup } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { testIntermediate, testKey, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import { type FakeAnswer, type FakeCaClient, fakeCaClient } from "../testing/fake-ca-client.ts";
import {
  createWorkloadIdentity,
  type IdentityEvents,
  notAfterOf,
  type WorkloadIdentity,
  type WorkloadIdentityOptions,
} from "./workload-identity.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const start = new Date("2026-03-01T12:00:00Z");
const away: FakeAnswer = async () => {
  throw new Error("the CA is away");
};
const silent: FakeAnswer = () => new Promise(() => {});

interface Rotation {
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

const running: Rotation[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((rotation) => rotation.stop()));
});

async function startRotation(
  options: Partial<WorkloadIdentityOptions> & { readonly answer?: FakeAnswer; readonly random?: Random } = {},
): Promise<Rotation> {
  const { answer, random = () => 0.5, ...rest } = options;
  const clock = new FakeClock(start);
  const ca = await fakeCaClient({ clock });
  ca.answerWith(answer);
  const failures: Rotation["failures"][number][] = [];
  const early: Rotation["early"][number][] = [];
  let requested = 0;
  let open = 0;
  let mostOpen = 0;
  const { identity, task } = createWorkloadIdentity(
    { keyType: "P-256", ttlSeconds: 10, rotation: { graceRatio: 0.5, graceRatioJitter: 0 }, ...rest },
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
  running.push(rotation);
  await settle();
  return rotation;
}

function spkiOf(identity: WorkloadIdentity | undefined): string {
  return Buffer.from(identity?.svid.chain[0].spki ?? []).toString("hex");
}

/** The identity, which by now there must be. */
function served(rotation: Rotation): WorkloadIdentity {
  const current = rotation.current();
  if (current === undefined) throw new Error("no identity is published");
  return current;
}

describe("rotation", () => {
  it("publishes a verified identity at once, for the key of the CSR and as long as asked for", async () => {
    const rotation = await startRotation({ ttlSeconds: 3600 });
    const { svid, trustBundles, receivedAt } = served(rotation);
    expect(svid.spiffeId).toBe("spiffe://cluster.local/ns/demo/sa/frontend");
    expect(svid.chain[0].publicKey.equals(svid.key.publicKey)).toBe(true);
    expect([...trustBundles.keys()]).toEqual(["cluster.local"]);
    expect(receivedAt).toEqual(start);
    expect(rotation.ca.requests.map(({ ttlSeconds }) => ttlSeconds)).toEqual([3600]);
  });

  it("renews at half of what was left on arrival, though NotBefore lies two minutes back", async () => {
    const rotation = await startRotation();
    const before = served(rotation);
    await rotation.elapse(4_900);
    expect(rotation.current()).toBe(before);
    await rotation.elapse(200);
    expect(notAfterOf(served(rotation))).toEqual(new Date(start.getTime() + 15 * second));
  });

  it("renews for days without a listener, with another key each time and never two requests at once", async () => {
    const rotation = await startRotation({ ttlSeconds: 86_400 });
    const keys = new Set([spkiOf(rotation.current())]);
    for (let day = 0; day < 4; day += 1) {
      await rotation.elapse(12 * hour, 15 * second);
      keys.add(spkiOf(rotation.current()));
    }
    expect(rotation.ca.requests).toHaveLength(5);
    expect(keys.size).toBe(5);
    expect(new Set(rotation.ca.requests.map(({ csr }) => Buffer.from(csr.spki).toString("hex")))).toEqual(keys);
    expect(rotation.mostAtOnce()).toBe(1);
  });

  it("makes the kind of key it is told to", async () => {
    const rotation = await startRotation({ keyType: "P-384" });
    expect(served(rotation).svid.chain[0].publicKeyInfo).toEqual({ kind: "ec", curve: "P-384" });
  });

  it("ends cleanly during a wait, an attempt and a retry", async () => {
    const waiting = await startRotation();
    const trying = await startRotation({ answer: away });
    await Promise.all([waiting.stop(), trying.stop()]);
    expect(waiting.clock.sleepers() + trying.clock.sleepers()).toBe(0);
  });
});

describe("an outage of the CA", () => {
  it("keeps the old identity published until the new one is there, and asks more often towards the end", async () => {
    const rotation = await startRotation({ random: () => 0.999 });
    const before = served(rotation);
    rotation.ca.answerWith(away);
    await rotation.elapse(9 * second);
    expect(rotation.current()).toBe(before);
    for (const { at, retryInMs } of rotation.failures) {
      const leftMs = notAfterOf(before).getTime() - at.getTime();
      expect(retryInMs).toBeLessThanOrEqual(Math.max(50, leftMs / 10));
    }
    expect(rotation.failures.length).toBeGreaterThan(8);
    rotation.ca.answerWith();
    await rotation.elapse(200);
    expect(served(rotation).receivedAt.getTime()).toBeGreaterThan(start.getTime() + 9 * second);
  });

  it("outlasts the expiry, and ends by itself within a tenth of the lifetime after the CA is back", async () => {
    const rotation = await startRotation({ random: () => 0.999 });
    const before = served(rotation);
    rotation.ca.answerWith(away);
    await rotation.elapse(60 * second);
    expect(rotation.current()).toBe(before);
    expect(rotation.failures.at(-1)?.current).toBe(before);
    rotation.ca.answerWith();
    await rotation.elapse(second);
    expect(notAfterOf(served(rotation)).getTime()).toBeGreaterThanOrEqual(rotation.clock.now().getTime() + 9 * second);
  });

  it("from the start: tries at least every 15 seconds, also for a lifetime of a day", async () => {
    const rotation = await startRotation({ ttlSeconds: 86_400, answer: away, random: () => 0.999 });
    await rotation.elapse(5 * minute);
    expect(rotation.current()).toBeUndefined();
    expect(Math.max(...rotation.failures.map(({ retryInMs }) => retryInMs))).toBeLessThanOrEqual(15 * second);
    expect(rotation.failures.length).toBeLessThan(40);
    rotation.ca.answerWith();
    await rotation.elapse(15 * second);
    expect(rotation.current()).toBeDefined();
  });

  it("spreads its attempts at random", async () => {
    const eager = await startRotation({ answer: away, random: () => 0 });
    const patient = await startRotation({ answer: away, random: () => 0.999 });
    expect(eager.failures[0]?.retryInMs).toBe(50);
    expect(patient.failures[0]?.retryInMs).toBe(99);
  });

  it("counts silence as a failure after a third of what is left, so that there is time for more attempts", async () => {
    const rotation = await startRotation();
    rotation.ca.answerWith(silent);
    await rotation.elapseInSilence(7 * second);
    expect(rotation.failures.map(({ error }) => errorCode(error))).toEqual(["deadline-exceeded"]);
    expect(rotation.failures[0]?.durationMs).toBe(1_666);
    expect(rotation.ca.requests.at(-2)?.signal.aborted).toBe(true);
    rotation.ca.answerWith();
    await rotation.elapseInSilence(2 * second);
    await rotation.settle();
    expect(served(rotation).receivedAt.getTime()).toBeGreaterThan(start.getTime() + 6 * second);
  });
});

describe("the clock", () => {
  it("is looked at often enough to notice that the machine has slept", async () => {
    const rotation = await startRotation({ ttlSeconds: 86_400 });
    rotation.clock.jump(20 * hour);
    await rotation.elapse(15 * second);
    expect(rotation.ca.requests).toHaveLength(2);
    expect(served(rotation).receivedAt.getTime()).toBeGreaterThan(start.getTime() + 20 * hour);
  });

  it("replaces an identity that expired in the machine's sleep", async () => {
    const rotation = await startRotation();
    rotation.clock.jump(hour);
    await rotation.elapse(second);
    expect(notAfterOf(served(rotation)).getTime()).toBeGreaterThan(rotation.clock.now().getTime());
  });

  it("may be stepped back without putting the renewal off", async () => {
    const rotation = await startRotation();
    await rotation.elapse(2 * second);
    rotation.clock.jump(-hour);
    await rotation.elapse(3_300);
    expect(rotation.ca.requests).toHaveLength(2);
  });

  it("may be behind the CA's from the start: the identity is served all the same", async () => {
    const future = { notBefore: new Date(start.getTime() + hour), notAfter: new Date(start.getTime() + 2 * hour) };
    const rotation = await startRotation({ answer: (request) => request.issue(future) });
    expect(served(rotation).svid.chain[0].notBefore).toEqual(future.notBefore);
    expect(rotation.early).toEqual([{ notBefore: future.notBefore, publishAt: undefined }]);
  });

  it("may fall behind the CA's: the current identity stays in use while both clocks take it for valid", async () => {
    const rotation = await startRotation({ ttlSeconds: 3600 });
    const before = served(rotation);
    const notBefore = new Date(start.getTime() + 35 * minute);
    const future = { notBefore, notAfter: new Date(start.getTime() + 95 * minute) };
    rotation.ca.answerWith((request) => request.issue(future));
    await rotation.elapse(31 * minute, second);
    expect(rotation.early).toEqual([{ notBefore, publishAt: notBefore }]);
    expect(rotation.current()).toBe(before);
    await rotation.elapse(4 * minute, second);
    expect(served(rotation).svid.chain[0].notBefore).toEqual(notBefore);
  });
});

describe("an answer that is not what was asked for", () => {
  it.each<[string, FakeAnswer, string]>([
    ["another key", async (r) => r.issue({ key: await csrOfAnotherKey(r) }), "issued-key-mismatch"],
    ["a chain to another root", async (r) => r.issue({ ca: await testRoot() }), "issued-svid-rejected"],
    ["expired", (r) => r.issue({ notAfter: new Date(r.at.getTime() - 1_000) }), "issued-svid-rejected"],
    [
      "no SPIFFE ID",
      (r) => r.issue({ subjectAltNames: [{ kind: "dns", value: "a.example" }] }),
      "issued-svid-rejected",
    ],
    ["two SPIFFE IDs", (r) => r.issue({ subjectAltNames: twoSpiffeIds }), "issued-svid-rejected"],
    [
      "the intermediate left out",
      async (r) => withoutIntermediate(await issueByIntermediate(r)),
      "issued-svid-rejected",
    ],
  ])("is refused and asked for again: %s", async (_title, answer, code) => {
    const rotation = await startRotation();
    const before = served(rotation);
    rotation.ca.answerWith(answer);
    await rotation.elapse(6 * second);
    expect(rotation.current()).toBe(before);
    expect(errorCode(rotation.failures[0]?.error)).toBe(code);
    rotation.ca.answerWith();
    await rotation.elapse(second);
    expect(rotation.current()).not.toBe(before);
  });

  it("keeps intermediates in the chain and leaves out a root that the CA sends along", async () => {
    const rotation = await startRotation({
      answer: async (request) => {
        const { chain, trustBundle } = await issueByIntermediate(request);
        return { chain: [chain[0], ...chain.slice(1), ...trustBundle.authorities], trustBundle };
      },
    });
    expect(served(rotation).svid.chain).toHaveLength(2);
  });
});

const twoSpiffeIds = [
  { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/frontend" },
  { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/backend" },
] as const;

type Request = Parameters<FakeAnswer>[0];
type Issued = Awaited<ReturnType<FakeAnswer>>;

async function csrOfAnotherKey(request: Request): Promise<Request["csr"]> {
  return { ...request.csr, spki: (await testKey()).spki };
}

async function issueByIntermediate(request: Request): Promise<Issued> {
  const root = await testRoot();
  const intermediate = await testIntermediate(root);
  const key = { ...intermediate.key, spki: request.csr.spki };
  const { chain } = await testLeaf(intermediate, { key, notAfter: new Date(request.at.getTime() + 10 * second) });
  return { chain, trustBundle: root.trustBundle };
}

function withoutIntermediate({ chain, trustBundle }: Issued): Issued {
  return { chain: [chain[0]], trustBundle };
}
