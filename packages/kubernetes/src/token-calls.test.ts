import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { createJsonCalls } from "./json-calls.ts";
import { requestToken, reviewToken } from "./token-calls.ts";
import type { Transport, TransportRequest } from "./transport.ts";

const signal = new AbortController().signal;
const token = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LWNsYWltcw.c2VjcmV0LXNpZ25hdHVyZQ";
const review = { token, audiences: ["istio-ca"] };

function callsAnswering(value: unknown): { calls: ReturnType<typeof createJsonCalls>; sent: TransportRequest[] } {
  const sent: TransportRequest[] = [];
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(JSON.stringify(value));
  }
  const transport: Transport = {
    server: "https://api.example",
    async send(request) {
      sent.push(request);
      return { status: 201, header: () => undefined, body: body(), discard: () => undefined };
    },
    distrustIdle: () => undefined,
    close: () => undefined,
  };
  return {
    calls: createJsonCalls(transport, { clock: new FakeClock(), deadlineMs: 1_000, maxResponseBytes: 10_000 }),
    sent,
  };
}

const answer = (status: unknown): unknown => ({ kind: "TokenReview", status });

describe("reviewToken", () => {
  it("sends the token and the audiences in the body, to be sent again if need be", async () => {
    const { calls, sent } = callsAnswering(answer({ authenticated: false }));
    await reviewToken(calls, review, signal);
    const spec = { token, audiences: ["istio-ca"] };
    expect(JSON.parse(sent[0]?.body?.text ?? "")).toEqual({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec,
    });
    expect(sent[0]).toMatchObject({ path: "/apis/authentication.k8s.io/v1/tokenreviews", repeatable: true });
  });

  it("takes a user for who it is only when the token is authenticated", async () => {
    const user = { username: "system:serviceaccount:demo:frontend", groups: null, extra: { a: ["b"], c: null } };
    const good = await reviewToken(callsAnswering(answer({ authenticated: true, user })).calls, review, signal);
    expect(good).toEqual({
      authenticated: true,
      audiences: [],
      user: {
        username: user.username,
        uid: "",
        groups: [],
        extra: new Map([
          ["a", ["b"]],
          ["c", []],
        ]),
      },
    });
    const refused = await reviewToken(callsAnswering(answer({ user })).calls, review, signal);
    expect(refused).toEqual({ authenticated: false, audiences: [] });
  });

  it("cuts the server's reason, and keeps the token out of it", async () => {
    const long = await reviewToken(callsAnswering(answer({ error: "x".repeat(1_000) })).calls, review, signal);
    expect(long.error?.length).toBe(203);
    for (const part of [token, ...token.split(".")]) {
      const { calls } = callsAnswering(answer({ error: `cannot parse ${part} as a token` }));
      expect((await reviewToken(calls, review, signal)).error).toBe("the API server's reason repeats the token");
    }
  });

  it.each<[string, unknown]>([
    ["another kind", { kind: "Status", status: { authenticated: true } }],
    ["no status", { kind: "TokenReview" }],
    ["a verdict that is text", answer({ authenticated: "true" })],
    ["a verdict that is a number", answer({ authenticated: 1 })],
    ["no username", answer({ authenticated: true, user: {} })],
    ["a uid that is a number", answer({ authenticated: true, user: { username: "a", uid: 1 } })],
    ["groups that are text", answer({ authenticated: true, user: { username: "a", groups: "system:masters" } })],
    ["audiences that are text", answer({ authenticated: true, audiences: "istio-ca" })],
    ["extra that is text", answer({ authenticated: true, user: { username: "a", extra: { pod: "b" } } })],
  ])("believes no answer with %s", async (_, value) => {
    await expect(reviewToken(callsAnswering(value).calls, review, signal)).rejects.toMatchObject({
      code: "response-malformed",
    });
  });
});

describe("requestToken", () => {
  it.each<[string, unknown]>([
    ["nothing", {}],
    ["no token", { status: { expirationTimestamp: "2026-01-01T00:00:00Z" } }],
    ["no expiry", { status: { token } }],
    ["an expiry that is none", { status: { token, expirationTimestamp: "soon" } }],
  ])("believes no answer with %s", async (_, value) => {
    const request = { namespace: "demo", serviceAccount: "a", audiences: [], expirationSeconds: 600 };
    await expect(requestToken(callsAnswering(value).calls, request, signal)).rejects.toMatchObject({
      code: "response-malformed",
    });
  });
});
