import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { Health } from "@signet/protos/grpc/health/v1/health";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { bindService, onlyRequest, type ServeOptions, Status, StatusError } from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { collect, from, never, unhurried } from "./testing/streams.ts";
import { type UnaryAnswer, type UnaryPair, unaryPair } from "./testing/unary-pair.ts";
import { testPair } from "./testing.ts";

const { createCertificate } = IstioCertificateService.method;
const { streamSecrets } = SecretDiscoveryService.method;
const closers = createClosers();
afterEach(() => closers.closeAll());

async function pairOf(answer: UnaryAnswer, options: Partial<ServeOptions> = {}): Promise<UnaryPair> {
  const pair = await unaryPair(answer, options);
  closers.add(() => pair.close());
  return pair;
}

describe("a unary call", () => {
  test("is answered", async () => {
    const { channel, ended } = await pairOf(async ({ csr }) => ({ certChain: [csr, "root"] }));
    const response = await channel.unary(createCertificate, { csr: "a CSR" }, unhurried);
    expect(response.certChain).toEqual(["a CSR", "root"]);
    expect(await ended()).toEqual({
      service: "istio.v1.auth.IstioCertificateService",
      method: "CreateCertificate",
      type: "unary",
      code: Status.OK,
      durationMs: expect.any(Number),
      peer: { address: "unix", transport: "unix" },
    });
  });

  test("of many at once is answered with its own answer", async () => {
    const { channel } = await pairOf(async ({ csr }) => ({ certChain: [csr] }));
    const names = Array.from({ length: 100 }, (_, index) => `csr ${index}`);
    const answers = await Promise.all(names.map((csr) => channel.unary(createCertificate, { csr }, unhurried)));
    expect(answers.flatMap((answer) => answer.certChain)).toEqual(names);
  });

  const failures = Object.values(Status).filter((code) => code !== Status.OK);
  test.each(failures)("that fails with status %i shows the client code, sentence and trailers", async (status) => {
    const { channel, code, errors } = await pairOf(async () => {
      const metadata = { "retry-after": "3", names: ["a", "b"], "details-bin": "AQID" };
      throw new StatusError(status, "no: ünïcode, 100 %\nand \ud800", { metadata, cause: new Error("secret") });
    });
    const error = await channel.unary(createCertificate, {}, unhurried).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StatusError);
    if (!(error instanceof StatusError)) return;
    expect(error.code).toBe(status);
    expect(error.message).toBe("no: ünïcode, 100 %\nand \ufffd");
    expect(error.metadata.get("retry-after")).toEqual(["3"]);
    expect(error.metadata.get("names").join()).toMatch(/^a, ?b$/);
    expect(error.metadata.get("details-bin")).toEqual(["AQID"]);
    expect(await code()).toBe(status);
    expect(errors).toEqual([]);
  });

  const unsendable = {
    get certChain(): string[] {
      throw new Error("password: hunter2");
    },
  };
  const failing: readonly { what: string; answer: UnaryAnswer }[] = [
    { what: "an error that is no StatusError", answer: () => Promise.reject(new Error("password: hunter2")) },
    { what: "something that is no error", answer: () => Promise.reject("hunter2") },
    { what: "nothing", answer: () => Promise.reject(undefined) },
    { what: "a StatusError that says OK", answer: () => Promise.reject(new StatusError(Status.OK, "hunter2")) },
    { what: "an error at once", answer: () => expect.unreachable("hunter2") },
    { what: "a response that cannot be sent", answer: async () => unsendable },
    {
      what: "trailers that cannot be sent",
      answer: async () => {
        throw new StatusError(Status.NOT_FOUND, "hunter2", { metadata: { "no name": "hunter2" } });
      },
    },
  ];
  test.each(failing)("whose handler gives $what shows no more than INTERNAL", async ({ answer }) => {
    const { channel, code, errors } = await pairOf(answer);
    const expected = { code: Status.INTERNAL, message: "internal error" };
    await expect(channel.unary(createCertificate, {}, unhurried)).rejects.toMatchObject(expected);
    expect(await code()).toBe(Status.INTERNAL);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ service: "istio.v1.auth.IstioCertificateService", method: "CreateCertificate" });
  });

  test("does not pass on what another server said to us", async () => {
    const behind = await pairOf(async () => {
      throw new StatusError(Status.NOT_FOUND, "not for the client's eyes");
    });
    const front = await pairOf(({ csr }, { signal }) =>
      behind.channel.unary(createCertificate, { csr }, { deadlineMs: 20_000, signal }),
    );
    const expected = { code: Status.INTERNAL, message: "internal error" };
    await expect(front.channel.unary(createCertificate, {}, unhurried)).rejects.toMatchObject(expected);
    expect(front.errors[0]?.error).toMatchObject({ code: Status.NOT_FOUND });
  });

  test("brings its metadata, with names in any case", async () => {
    const { channel } = await pairOf(async (_request, { metadata }) => ({
      certChain: [...metadata.get("Authorization"), ...metadata.get("clusterid"), ...metadata.get("x-bin"), "end"],
    }));
    const metadata = { authorization: "Bearer x", ClusterID: "Kubernetes", "x-bin": "AQID" };
    const { certChain } = await channel.unary(createCertificate, {}, { ...unhurried, metadata });
    expect(certChain).toEqual(["Bearer x", "Kubernetes", "AQID", "end"]);
  });

  test("that the client cancels aborts the handler's signal", async () => {
    const started = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    const { channel, code, errors } = await pairOf((_request, { signal }) => {
      started.resolve();
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted.resolve(signal.reason);
          reject(signal.reason);
        });
      });
    });
    const controller = new AbortController();
    const call = channel.unary(createCertificate, {}, { deadlineMs: 20_000, signal: controller.signal });
    await started.promise;
    controller.abort(new Error("not needed any more"));
    await expect(call).rejects.toMatchObject({ code: Status.CANCELLED, cause: new Error("not needed any more") });
    expect(await aborted.promise).toMatchObject({ code: Status.CANCELLED });
    expect(await code()).toBe(Status.CANCELLED);
    expect(errors).toEqual([]);
  });

  test("that takes longer than its deadline fails with DEADLINE_EXCEEDED on both sides", async () => {
    const aborted = Promise.withResolvers<unknown>();
    const { channel, code } = await pairOf((_request, { signal }) => {
      signal.addEventListener("abort", () => aborted.resolve(signal.reason));
      return new Promise(() => {});
    });
    const call = channel.unary(createCertificate, {}, { deadlineMs: 100, signal: never });
    await expect(call).rejects.toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    // The client's own clock may cancel the call a moment before the server's does.
    const codes = [Status.DEADLINE_EXCEEDED, Status.CANCELLED];
    expect(codes).toContain(((await aborted.promise) as StatusError).code);
    expect(codes).toContain(await code());
  });

  test("that takes longer than the server allows fails with DEADLINE_EXCEEDED and reports nothing hidden", async () => {
    const { channel, code, errors } = await pairOf(
      (_request, { signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      { unaryDeadlineMs: 50 },
    );
    await expect(channel.unary(createCertificate, {}, unhurried)).rejects.toMatchObject({
      code: Status.DEADLINE_EXCEEDED,
      message: "the call took longer than the server allows",
    });
    expect(await code()).toBe(Status.DEADLINE_EXCEEDED);
    expect(errors).toEqual([]);
  });

  test("is over by the server's deadline though its handler never ends, and what that answers later is dropped", async () => {
    const answer = Promise.withResolvers<{ certChain: string[] }>();
    const { channel, code } = await pairOf(() => answer.promise, { unaryDeadlineMs: 50 });
    const expected = { code: Status.DEADLINE_EXCEEDED };
    await expect(channel.unary(createCertificate, {}, unhurried)).rejects.toMatchObject(expected);
    expect(await code()).toBe(Status.DEADLINE_EXCEEDED);
    answer.resolve({ certChain: ["too late"] });
    await expect(channel.unary(createCertificate, {}, unhurried)).resolves.toMatchObject({ certChain: ["too late"] });
  });

  test("of a method without handler, and of an unknown one, answers UNIMPLEMENTED", async () => {
    const pair = await testPair([bindService(SecretDiscoveryService, {})]);
    closers.add(() => pair.close());
    const { fetchSecrets } = SecretDiscoveryService.method;
    for (const call of [
      () => pair.channel.unary(fetchSecrets, {}, unhurried),
      () => pair.channel.unary(createCertificate, {}, unhurried),
      () => collect(pair.channel.stream(streamSecrets, from([{}]), { signal: never })),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: Status.UNIMPLEMENTED });
    }
  });
});

test("an observer that throws harms no call", async () => {
  const seen: unknown[] = [];
  const { channel } = await pairOf(async () => ({ certChain: [] }), {
    onCall: () => expect.unreachable("metrics are broken"),
    onError: ({ error }) => {
      seen.push(error);
      expect.unreachable("logs too");
    },
  });
  await channel.unary(createCertificate, {}, unhurried);
  await channel.unary(createCertificate, {}, unhurried);
  expect(seen.length).toBeGreaterThan(0);
});

test("a method bound twice is refused", async () => {
  const health = bindService(Health, {});
  await expect(testPair([health, health])).rejects.toMatchObject({ code: "method-already-bound" });
});

test("onlyRequest asks for one", async () => {
  expect(await onlyRequest(from([1, 2]))).toBe(1);
  await expect(onlyRequest(from([]))).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT });
});
