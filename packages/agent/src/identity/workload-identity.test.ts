import { Status, StatusError } from "@signet/grpc";
import { errorCode } from "@signet/runtime";
import { afterEach, describe, expect, it } from "vitest";
import type { FakeAnswer } from "../testing/fake-ca-client.ts";
import { type Rotation, rotationStart, served, startRotation } from "../testing/rotation-fixture.ts";
import { notAfterOf, type WorkloadIdentity } from "./workload-identity.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const away: FakeAnswer = async () => {
  throw new Error("the CA is away");
};
const silent: FakeAnswer = () => new Promise(() => {});

const running: Rotation[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((rotation) => rotation.stop()));
});

async function start(options: Parameters<typeof startRotation>[0] = {}): Promise<Rotation> {
  const rotation = await startRotation(options);
  running.push(rotation);
  return rotation;
}

function spkiOf(identity: WorkloadIdentity | undefined): string {
  return Buffer.from(identity?.svid.chain[0].spki ?? []).toString("hex");
}

describe("rotation", () => {
  it("publishes a verified identity at once, for the key of the CSR and as long as asked for", async () => {
    const rotation = await start({ ttlSeconds: 3600 });
    const { svid, trustBundles, receivedAt } = served(rotation);
    expect(svid.spiffeId).toBe("spiffe://cluster.local/ns/demo/sa/frontend");
    expect(svid.chain[0].publicKey.equals(svid.key.publicKey)).toBe(true);
    expect([...trustBundles.keys()]).toEqual(["cluster.local"]);
    expect(receivedAt).toEqual(rotationStart);
    expect(rotation.ca.requests.map(({ ttlSeconds }) => ttlSeconds)).toEqual([3600]);
  });

  it("renews at half of what was left on arrival, though NotBefore lies two minutes back", async () => {
    const rotation = await start();
    const before = served(rotation);
    await rotation.elapse(4_900);
    expect(rotation.current()).toBe(before);
    await rotation.elapse(200);
    expect(notAfterOf(served(rotation))).toEqual(new Date(rotationStart.getTime() + 15 * second));
  });

  it("renews for days without a listener, with another key each time and never two requests at once", async () => {
    const rotation = await start({ ttlSeconds: 86_400 });
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
    const rotation = await start({ keyType: "P-384" });
    expect(served(rotation).svid.chain[0].publicKeyInfo).toEqual({ kind: "ec", curve: "P-384" });
  });

  it("takes the time it needs to make a key, which is no part of an attempt's", async () => {
    const rotation = await start({ keyType: "RSA-2048" });
    await rotation.clock.advance(5_000);
    await rotation.clock.advance(4_000);
    await rotation.settle();
    expect(rotation.failures).toEqual([]);
    expect(rotation.ca.requests).toHaveLength(2);
  });

  it("ends cleanly during a wait, an attempt and a retry", async () => {
    const waiting = await start();
    const trying = await start({ answer: away });
    await Promise.all([waiting.stop(), trying.stop()]);
    expect(waiting.clock.sleepers() + trying.clock.sleepers()).toBe(0);
  });
});

describe("an outage of the CA", () => {
  it("keeps the old identity published until the new one is there, and asks more often towards the end", async () => {
    const rotation = await start({ random: () => 0.999 });
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
    expect(served(rotation).receivedAt.getTime()).toBeGreaterThan(rotationStart.getTime() + 9 * second);
  });

  it("outlasts the expiry, and ends by itself within a tenth of the lifetime after the CA is back", async () => {
    const rotation = await start({ random: () => 0.999 });
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
    const rotation = await start({ ttlSeconds: 86_400, answer: away, random: () => 0.999 });
    await rotation.elapse(5 * minute);
    expect(rotation.current()).toBeUndefined();
    expect(Math.max(...rotation.failures.map(({ retryInMs }) => retryInMs))).toBeLessThanOrEqual(15 * second);
    expect(rotation.failures.length).toBeLessThan(40);
    rotation.ca.answerWith();
    await rotation.elapse(15 * second);
    expect(rotation.current()).toBeDefined();
  });

  it("spreads its attempts at random", async () => {
    const eager = await start({ answer: away, random: () => 0 });
    const patient = await start({ answer: away, random: () => 0.999 });
    expect(eager.failures[0]?.retryInMs).toBe(50);
    expect(patient.failures[0]?.retryInMs).toBe(99);
  });

  it("leaves a CA alone for as long as it asks for, but for no more than a third of what is left", async () => {
    const rotation = await start({ ttlSeconds: 600 });
    const asked = rotation.ca.requests.length;
    const metadata = { "grpc-retry-pushback-ms": "40000" };
    rotation.ca.answerWith(async () => {
      throw new StatusError(Status.RESOURCE_EXHAUSTED, "busy", { metadata });
    });
    await rotation.elapse(301_000, 1_000);
    expect(rotation.ca.requests.length).toBe(asked + 1);
    await rotation.elapse(39_000, 1_000);
    expect(rotation.ca.requests.length).toBe(asked + 1);
    expect(rotation.failures.map(({ retryInMs }) => retryInMs)).toEqual([42_000]);
    rotation.ca.answerWith(undefined);
    await rotation.elapse(5_000, 1_000);
    expect(rotation.ca.requests.length).toBe(asked + 2);
  });

  it("counts silence as a failure after a third of what is left, so that there is time for more attempts", async () => {
    const rotation = await start();
    rotation.ca.answerWith(silent);
    await rotation.elapseInSilence(7 * second);
    expect(rotation.failures.map(({ error }) => errorCode(error))).toEqual(["deadline-exceeded"]);
    expect(rotation.failures[0]?.durationMs).toBe(1_666);
    expect(rotation.ca.requests.at(-2)?.signal.aborted).toBe(true);
    rotation.ca.answerWith();
    await rotation.elapseInSilence(2 * second);
    await rotation.settle();
    expect(served(rotation).receivedAt.getTime()).toBeGreaterThan(rotationStart.getTime() + 6 * second);
  });
});

describe("the clock", () => {
  it("is looked at often enough to notice that the machine has slept", async () => {
    const rotation = await start({ ttlSeconds: 86_400 });
    rotation.clock.jump(20 * hour);
    await rotation.elapse(15 * second);
    expect(rotation.ca.requests).toHaveLength(2);
    expect(served(rotation).receivedAt.getTime()).toBeGreaterThan(rotationStart.getTime() + 20 * hour);
  });

  it("is looked at while a failed attempt waits for the next one", async () => {
    const rotation = await start({ ttlSeconds: 86_400, random: () => 0.999 });
    rotation.ca.answerWith(away);
    await rotation.elapse(12 * hour, 15 * second);
    while ((rotation.failures.at(-1)?.retryInMs ?? 0) < 59 * second) await rotation.elapse(15 * second, second);
    rotation.ca.answerWith();
    rotation.clock.jump(hour);
    await rotation.elapse(3 * second, second);
    expect(served(rotation).receivedAt.getTime()).toBeGreaterThan(rotationStart.getTime() + 13 * hour);
  });

  it("replaces an identity that expired in the machine's sleep", async () => {
    const rotation = await start();
    rotation.clock.jump(hour);
    await rotation.elapse(second);
    expect(notAfterOf(served(rotation)).getTime()).toBeGreaterThan(rotation.clock.now().getTime());
  });

  it("may be stepped back without putting the renewal off", async () => {
    const rotation = await start();
    await rotation.elapse(2 * second);
    rotation.clock.jump(-hour);
    await rotation.elapse(3_300);
    expect(rotation.ca.requests).toHaveLength(2);
  });

  it("may be behind the CA's from the start: the identity is served all the same", async () => {
    const future = {
      notBefore: new Date(rotationStart.getTime() + hour),
      notAfter: new Date(rotationStart.getTime() + 2 * hour),
    };
    const rotation = await start({ answer: (request) => request.issue(future) });
    expect(served(rotation).svid.chain[0].notBefore).toEqual(future.notBefore);
    expect(rotation.early).toEqual([{ notBefore: future.notBefore, publishAt: undefined }]);
  });

  it("may be behind the CA's by far more than a lifetime: renewals come as often as with a good one", async () => {
    const behindMs = hour;
    const rotation = await start({
      answer: (request) => {
        const caNow = request.at.getTime() + behindMs;
        return request.issue({ notBefore: new Date(caNow - 2 * minute), notAfter: new Date(caNow + 10 * second) });
      },
    });
    await rotation.elapse(21 * second);
    expect(rotation.ca.requests).toHaveLength(5);
  });

  it("may fall behind the CA's: the current identity stays in use while both clocks take it for valid", async () => {
    const rotation = await start({ ttlSeconds: 3600 });
    const before = served(rotation);
    const notBefore = new Date(rotationStart.getTime() + 35 * minute);
    const future = { notBefore, notAfter: new Date(rotationStart.getTime() + 95 * minute) };
    rotation.ca.answerWith((request) => request.issue(future));
    await rotation.elapse(31 * minute, second);
    expect(rotation.early).toEqual([{ notBefore, publishAt: notBefore }]);
    expect(rotation.current()).toBe(before);
    await rotation.elapse(4 * minute, second);
    expect(served(rotation).svid.chain[0].notBefore).toEqual(notBefore);
  });
});
