import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { KubernetesError, resources } from "./index.ts";
import { type FakeFaultKind, fakeKubernetes } from "./testing.ts";

const { configMaps, secrets } = resources;
const never = new AbortController().signal;
const name = { namespace: "default", name: "a" };
const token = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LWNsYWltcw.c2VjcmV0LXNpZ25hdHVyZQ";

async function failureOf(call: Promise<unknown>): Promise<KubernetesError> {
  const failure = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(KubernetesError);
  return failure as KubernetesError;
}

describe("a call that goes wrong", () => {
  const cases: readonly [FakeFaultKind, Partial<KubernetesError>][] = [
    [
      { kind: "status", status: 400 },
      { code: "invalid", status: 400 },
    ],
    [
      { kind: "status", status: 401 },
      { code: "unauthorized", status: 401 },
    ],
    [
      { kind: "status", status: 403 },
      { code: "forbidden", status: 403 },
    ],
    [
      { kind: "status", status: 404 },
      { code: "not-found", status: 404 },
    ],
    [
      { kind: "status", status: 405 },
      { code: "invalid", status: 405 },
    ],
    [
      { kind: "status", status: 409, reason: "Conflict" },
      { code: "conflict", status: 409 },
    ],
    [
      { kind: "status", status: 409, reason: "AlreadyExists" },
      { code: "already-exists", status: 409 },
    ],
    [
      { kind: "status", status: 410, reason: "Expired" },
      { code: "gone", status: 410 },
    ],
    [
      { kind: "status", status: 422, reason: "Invalid" },
      { code: "invalid", status: 422 },
    ],
    [
      { kind: "status", status: 429 },
      { code: "too-many-requests", status: 429 },
    ],
    [
      { kind: "status", status: 429, retryAfterSeconds: 7 },
      { code: "too-many-requests", retryAfterMs: 7_000 },
    ],
    [{ kind: "status", status: 429, retryAfterSeconds: 86_400 }, { retryAfterMs: 3_600_000 }],
    [
      { kind: "status", status: 500 },
      { code: "unavailable", status: 500 },
    ],
    [
      { kind: "status", status: 503, retryAfterSeconds: 1 },
      { code: "unavailable", retryAfterMs: 1_000 },
    ],
    [
      { kind: "status", status: 504, reason: "Timeout" },
      { code: "unavailable", status: 504 },
    ],
    [
      { kind: "status", status: 302 },
      { code: "response-malformed", status: 302 },
    ],
    [{ kind: "garbage" }, { code: "response-malformed" }],
    [{ kind: "truncated" }, { code: "unavailable" }],
    [{ kind: "reset" }, { code: "unavailable" }],
  ];

  it.each(cases)("fails with what $0 means", async (fault, expected) => {
    const { api, cluster } = fakeKubernetes({ clock: new FakeClock() });
    cluster.put(secrets, { metadata: name });
    cluster.setFault(fault);
    const calls = [
      api.read(secrets, name, never),
      api.list(secrets, {}, never),
      api.reviewToken({ token, audiences: [] }, never),
      api.replace(secrets, { metadata: name }, never),
      api.remove(secrets, { ...name, name: "b" }, never),
      api.getJson("/openid/v1/jwks", never),
      api.watch(secrets, { resourceVersion: "1" }, never)[Symbol.asyncIterator]().next(),
    ];
    // A watch of which the server says garbage has begun well.
    const failures = fault.kind === "garbage" || fault.kind === "truncated" ? calls.slice(0, -1) : calls;
    for (const call of failures) expect(await failureOf(call)).toMatchObject(expected);
    await Promise.allSettled(calls);
    cluster.setFault(undefined);
    expect((await api.read(secrets, name, never))?.metadata.name).toBe("a");
  });

  it.each<FakeFaultKind>([{ kind: "half-open" }, { kind: "slow", ms: 10_001 }])(
    "ends after 10 seconds: $kind",
    async (fault) => {
      const clock = new FakeClock();
      const { api, cluster } = fakeKubernetes({ clock });
      cluster.setFault(fault);
      const failing = failureOf(api.read(secrets, name, never));
      const opening = failureOf(api.watch(secrets, { resourceVersion: "1" }, never)[Symbol.asyncIterator]().next());
      await clock.advance(9_999);
      expect(clock.sleepers()).toBeGreaterThan(0);
      await clock.advance(1);
      expect((await failing).code).toBe("deadline-exceeded");
      expect((await opening).code).toBe("deadline-exceeded");
      await clock.advance(0);
      expect(clock.sleepers()).toBe(0);
    },
  );

  it("gets an answer that is slow but in time", async () => {
    const clock = new FakeClock();
    const { api, cluster } = fakeKubernetes({ clock });
    cluster.setFault({ kind: "slow", ms: 9_999 });
    const reading = api.read(secrets, name, never);
    await clock.advance(9_999);
    expect(await reading).toBeUndefined();
  });

  it("rejects with the reason of the signal, before and on the way", async () => {
    const { api, cluster } = fakeKubernetes({ clock: new FakeClock() });
    await expect(api.read(secrets, name, AbortSignal.abort("before"))).rejects.toBe("before");
    cluster.setFault({ kind: "half-open" });
    const stop = new AbortController();
    const reading = api.read(secrets, name, stop.signal);
    stop.abort("meanwhile");
    await expect(reading).rejects.toBe("meanwhile");
  });

  it("is unavailable once the connection is closed", async () => {
    const { api, cluster } = fakeKubernetes({ clock: new FakeClock() });
    cluster.setFault({ kind: "half-open" });
    const underWay = failureOf(api.read(secrets, name, never));
    api.close();
    expect((await underWay).code).toBe("unavailable");
    expect((await failureOf(api.read(secrets, name, never))).code).toBe("unavailable");
  });

  it("does not grow beyond its bound", async () => {
    const { api, cluster } = fakeKubernetes({ clock: new FakeClock(), limits: { maxResponseBytes: 1_000 } });
    cluster.put(configMaps, { metadata: name, data: { text: "x".repeat(1_000) } });
    expect((await failureOf(api.read(configMaps, name, never))).code).toBe("response-too-large");
    const { items } = await api.list(configMaps, { labelSelector: "none" }, never);
    expect(items).toEqual([]);
    expect((await failureOf(api.list(configMaps, {}, never))).code).toBe("response-too-large");
  });

  it("begins a list again when its instant is forgotten on the way, and gives up the fourth time", async () => {
    const { api, cluster } = fakeKubernetes({ clock: new FakeClock() });
    for (const each of ["a", "b", "c"]) cluster.put(configMaps, { metadata: { ...name, name: each } });
    let asked = 0;
    const forgetAt = (when: (request: number) => boolean): void => {
      asked = 0;
      const only = (): boolean => {
        asked += 1;
        if (when(asked)) cluster.forgetHistory();
        return false;
      };
      cluster.setFault({ kind: "reset", only });
    };
    forgetAt((request) => request === 2);
    expect((await api.list(configMaps, { pageSize: 2 }, never)).items).toHaveLength(3);
    expect(asked).toBe(4);
    forgetAt((request) => request % 2 === 0);
    expect((await failureOf(api.list(configMaps, { pageSize: 2 }, never))).code).toBe("gone");
    expect(asked).toBe(8);
  });

  it("takes lists in smaller pages when one is too large", async () => {
    const { api, cluster } = fakeKubernetes({ clock: new FakeClock(), limits: { maxResponseBytes: 2_000 } });
    const names = Array.from({ length: 20 }, (_, index) => `a${String(index).padStart(2, "0")}`);
    for (const each of names)
      cluster.put(configMaps, { metadata: { ...name, name: each }, data: { text: "x".repeat(300) } });
    const { items } = await api.list(configMaps, {}, never);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(names);
  });
});

describe("what an error says", () => {
  it("names method, path and reason, and what the server said, cut short", async () => {
    const { api } = fakeKubernetes({ clock: new FakeClock() });
    const missing = await failureOf(api.replace(configMaps, { metadata: name }, never));
    expect(missing.message).toBe(
      'API server answered 404 NotFound to PUT /api/v1/namespaces/default/configmaps/a: "configmaps \\"a\\" not found"',
    );
    const long = { metadata: { ...name, labels: { a: "b" } }, data: { [`x ${"y".repeat(1_000)}`]: "" } };
    expect((await failureOf(api.create(configMaps, long, never))).message.length).toBeLessThan(400);
  });

  it("holds nothing of a Secret or a token, also where the server repeats it", async () => {
    const { api } = fakeKubernetes({ clock: new FakeClock() });
    const secret = { metadata: { ...name, name: "Wrong" }, data: { "secret key": "c2VjcmV0" } };
    const failures = [
      await failureOf(api.create(secrets, secret, never)),
      await failureOf(api.create(secrets, { ...secret, metadata: name }, never)),
      await failureOf(api.replace(secrets, secret, never)),
      await failureOf(api.mergePatch(secrets, { ...name, patch: secret }, never)),
    ];
    for (const { message } of failures) expect(message).not.toMatch(/secret key|c2VjcmV0/);
    const review = await failureOf(api.reviewToken({ token: "", audiences: [token] }, never));
    expect(review.message).toBe(
      "API server answered 400 BadRequest to POST /apis/authentication.k8s.io/v1/tokenreviews",
    );
  });

  it("is no message that is not the API server's", async () => {
    const { api, cluster } = fakeKubernetes({ clock: new FakeClock() });
    cluster.setFault({ kind: "status", status: 502, reason: "see <script> for more" });
    const { message } = await failureOf(api.read(secrets, name, never));
    expect(message).toBe('API server answered 502 to GET /api/v1/namespaces/default/secrets/a: "as the test wants it"');
  });
});
