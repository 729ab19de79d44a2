import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { createInbox } from "./inbox.ts";
import { bindService, type CallMessageEvent, type CallStartEvent, onlyRequest, Status, StatusError } from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { collect, from, never, unhurried } from "./testing/streams.ts";
import { testPair } from "./testing.ts";

const { createCertificate } = IstioCertificateService.method;
const { streamSecrets } = SecretDiscoveryService.method;
const closers = createClosers();
afterEach(() => closers.closeAll());

const services = [
  bindService(IstioCertificateService, {
    async createCertificate({ csr }) {
      if (csr === "bad") throw new StatusError(Status.INVALID_ARGUMENT, "no");
      return {};
    },
  }),
  bindService(Health, {
    async *watch(requests) {
      await onlyRequest(requests);
      yield { status: Serving.SERVING };
      yield { status: Serving.NOT_SERVING };
    },
  }),
  bindService(SecretDiscoveryService, {
    async *streamSecrets(requests) {
      for await (const { responseNonce } of requests) yield { nonce: responseNonce };
    },
  }),
];

async function start() {
  const started: CallStartEvent[] = [];
  const messages: CallMessageEvent[] = [];
  const ended = createInbox<string>(() => {});
  const pair = await testPair(services, {
    serve: {
      onStart: (event) => started.push(event),
      onMessage: (event) => messages.push(event),
      onCall: ({ type, method, code }) => ended.push(`${type} ${method} ${code}`),
    },
  });
  closers.add(() => pair.close());
  const counts = () => ({
    started: started.map(({ type, service, method }) => `${type} ${service}/${method}`),
    received: messages.filter(({ direction }) => direction === "received").length,
    sent: messages.filter(({ direction }) => direction === "sent").length,
  });
  return { ...pair, counts, messages, ended: async () => (await ended.next()).value };
}

describe("of a call is told", () => {
  test("one message each way when it is unary and succeeds", async () => {
    const { channel, counts, messages, ended } = await start();
    await channel.unary(createCertificate, {}, unhurried);
    expect(await ended()).toBe("unary CreateCertificate 0");
    const method = "istio.v1.auth.IstioCertificateService/CreateCertificate";
    expect(counts()).toEqual({ started: [`unary ${method}`], received: 1, sent: 1 });
    expect(messages[0]).toEqual({
      service: "istio.v1.auth.IstioCertificateService",
      method: "CreateCertificate",
      type: "unary",
      direction: "received",
    });
  });

  test("no message sent when it is unary and fails", async () => {
    const { channel, counts, ended } = await start();
    await channel.unary(createCertificate, { csr: "bad" }, unhurried).catch(() => {});
    expect(await ended()).toBe(`unary CreateCertificate ${Status.INVALID_ARGUMENT}`);
    expect(counts()).toMatchObject({ received: 1, sent: 0 });
  });

  test("every response when it streams them", async () => {
    const { channel, counts, ended } = await start();
    await collect(channel.stream(Health.method.watch, from([{}]), { signal: never }));
    expect(await ended()).toBe("server_stream Watch 0");
    expect(counts()).toEqual({ started: ["server_stream grpc.health.v1.Health/Watch"], received: 1, sent: 2 });
  });

  test("every message when it streams both ways", async () => {
    const { channel, counts, ended } = await start();
    await collect(channel.stream(streamSecrets, from([{}, {}, {}]), { signal: never }));
    expect(await ended()).toBe("bidi_stream StreamSecrets 0");
    expect(counts()).toMatchObject({ received: 3, sent: 3 });
  });
});

test("observers that throw harm no call, whichever they are", async () => {
  const seen: unknown[] = [];
  const broken = (): never => expect.unreachable("metrics are broken");
  const pair = await testPair(services, {
    serve: { onStart: broken, onMessage: broken, onCall: broken, onError: ({ error }) => seen.push(error) },
  });
  closers.add(() => pair.close());
  await pair.channel.unary(createCertificate, {}, unhurried);
  await pair.channel.unary(createCertificate, {}, unhurried);
  expect(seen.length).toBeGreaterThan(3);
});
