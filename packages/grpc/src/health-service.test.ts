import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
import { afterEach, expect, test } from "vitest";
import { createHealthState, Status } from "./index.ts";
import { type TestPair, testPair } from "./testing.ts";

const { check, list, watch } = Health.method;
const never = new AbortController().signal;
const unhurried = { deadlineMs: 20_000, signal: never };

const pairs: TestPair[] = [];
afterEach(async () => {
  for (const pair of pairs.splice(0)) await pair.close();
});

async function start() {
  const health = createHealthState();
  const pair = await testPair([], { serve: { health } });
  pairs.push(pair);
  return { health, channel: pair.channel, listener: pair.listener };
}

async function* asking(service: string) {
  yield { service };
}

test("Check tells what was set last, and NOT_FOUND of what never was", async () => {
  const { health, channel } = await start();
  const checked = async (service: string): Promise<unknown> =>
    (await channel.unary(check, { service }, unhurried)).status;
  await expect(checked("")).rejects.toMatchObject({ code: Status.NOT_FOUND });
  health.set("", true);
  health.set("a.B", false);
  expect(await checked("")).toBe(Serving.SERVING);
  expect(await checked("a.B")).toBe(Serving.NOT_SERVING);
  health.set("a.B", true);
  expect(await checked("a.B")).toBe(Serving.SERVING);
});

test("List tells all", async () => {
  const { health, channel } = await start();
  health.set("", true);
  health.set("a.B", false);
  const { statuses } = await channel.unary(list, {}, unhurried);
  expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
    ["", Serving.SERVING],
    ["a.B", Serving.NOT_SERVING],
  ]);
});

test("Watch tells the state now, every change of that service and of no other, also before the service is known", async () => {
  const { health, channel } = await start();
  const responses = channel.stream(watch, asking("a.B"), { signal: never })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => (await responses.next()).value?.status;
  expect(await next()).toBe(Serving.SERVICE_UNKNOWN);
  health.set("a.B", true);
  expect(await next()).toBe(Serving.SERVING);
  health.set("a.B", true);
  health.set("other", false);
  // A round trip, in which Watch has seen these.
  await channel.unary(check, { service: "other" }, unhurried);
  health.set("a.B", false);
  expect(await next()).toBe(Serving.NOT_SERVING);
  await responses.return?.();
});

test("Watch ends with UNAVAILABLE when the server drains", async () => {
  const { channel, listener } = await start();
  const responses = channel.stream(watch, asking(""), { signal: never })[Symbol.asyncIterator]();
  await responses.next();
  const drained = listener.drain(20_000);
  await expect(responses.next()).rejects.toMatchObject({ code: Status.UNAVAILABLE });
  await drained;
});

test("without a health state there is no health service", async () => {
  const pair = await testPair([]);
  pairs.push(pair);
  await expect(pair.channel.unary(check, {}, unhurried)).rejects.toMatchObject({ code: Status.UNIMPLEMENTED });
});
