import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, test } from "vitest";
import type { ClaimsSchema } from "./claims-parser.ts";
import { GatewayError } from "./errors.ts";
import { createGateway } from "./gateway.ts";
import type { FailedEvent } from "./gateway-events.ts";
import type { GatewayOptions } from "./gateway-options.ts";
import type { GatewayRequest } from "./gateway-request.ts";
import type { AuthenticationResult } from "./request-authenticator.ts";

const request: GatewayRequest = {
  ...{ method: "GET", scheme: "https", host: "shop.example", path: "/", headers: [] },
  ...{ source: {}, destination: {} },
};
const upstream = { remove: [], add: [] };
const never = new AbortController().signal;

function authenticated(claims: object): AuthenticationResult {
  const facts = { claims: { ...claims }, payload: { ...claims }, rule: { issuer: "https://issuer.example" } };
  return { kind: "authenticated", principal: "https://issuer.example/alice", ...facts, upstream };
}

function gatewayFor<Claims>(result: AuthenticationResult, options: Partial<GatewayOptions<Claims>> = {}) {
  return createGateway<Claims>({ authenticator: { authenticate: async () => result }, ...options });
}

/** As a library of schemas makes one. */
function schema(validate: ClaimsSchema<{ tenant: string }>["~standard"]["validate"]): ClaimsSchema<{ tenant: string }> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return error instanceof GatewayError ? error.code : "another error";
  }
  return undefined;
}

describe("createGateway", () => {
  test.each([
    ["deadlineMs 0", { deadlineMs: 0 }],
    ["deadlineMs NaN", { deadlineMs: Number.NaN }],
    ["trustedHops -1", { trustedHops: -1 }],
    ["trustedHops 1.5", { trustedHops: 1.5 }],
    ["trustedHops 1000", { trustedHops: 1000 }],
  ])("refuses %s", (_what, options) => {
    expect(codeOf(() => gatewayFor({ kind: "anonymous", upstream }, options))).toBe("option-invalid");
  });

  test("gives no identity to what it has not let through", () => {
    expect(codeOf(() => gatewayFor({ kind: "anonymous", upstream }).authOf({}))).toBe("not-admitted");
  });

  test("gives no identity that another gateway has let through", () => {
    const carrier = {};
    gatewayFor({ kind: "anonymous", upstream }).keep(carrier, { kind: "anonymous" });
    expect(codeOf(() => gatewayFor({ kind: "anonymous", upstream }).authOf(carrier))).toBe("not-admitted");
  });

  test.each([
    ["at once", schema(() => ({ value: { tenant: "acme" } }))],
    ["later", schema(async () => ({ value: { tenant: "acme" } }))],
  ])("takes the claims of a schema that answers %s", async (_when, claims) => {
    const admission = await gatewayFor(authenticated({}), { claims }).admit(request, never);
    expect(admission).toMatchObject({ kind: "admitted", auth: { claims: { tenant: "acme" } } });
  });

  test.each([
    ["finds faults", schema(() => ({ issues: [{ message: "tenant is 'a secret'" }] }))],
    [
      "throws",
      schema(() => {
        throw new Error("broken");
      }),
    ],
    ["rejects", schema(() => Promise.reject(new Error("broken")))],
  ])("refuses claims when a schema %s, and repeats none of them", async (_what, claims) => {
    const causes: unknown[] = [];
    const events = { refused: ({ cause }: { readonly cause?: unknown }) => void causes.push(cause) };
    const admission = await gatewayFor(authenticated({ tenant: "a secret" }), { claims, events }).admit(request, never);
    expect(admission).toMatchObject({ kind: "refused", refusal: { code: "claims-not-allowed", status: 403 } });
    expect(String(causes[0])).not.toContain("secret");
  });

  test("asks nobody, and rejects with the reason, once the client has gone", async () => {
    const reason = new Error("gone");
    const gateway = gatewayFor(authenticated({}));
    await expect(gateway.admit(request, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test("includes a slow schema in its deadline", async () => {
    const clock = new FakeClock();
    const asked = Promise.withResolvers<void>();
    const claims = (): Promise<never> => {
      asked.resolve();
      return new Promise(() => undefined);
    };
    const admission = gatewayFor(authenticated({}), { claims, clock, deadlineMs: 500 }).admit(request, never);
    await asked.promise;
    await clock.advance(500);
    expect(await admission).toMatchObject({ kind: "refused", refusal: { code: "deadline-exceeded", status: 503 } });
  });

  test("stays closed when those who listen to it throw", async () => {
    const failures: FailedEvent[] = [];
    const events = {
      refused() {
        throw new Error("a broken metric");
      },
      failed: (event: FailedEvent) => void failures.push(event),
    };
    const rejected = { kind: "rejected", code: "token-expired", status: 401, body: "Jwt is expired" } as const;
    expect(await gatewayFor(rejected, { events }).admit(request, never)).toMatchObject({ kind: "refused" });
    expect(failures).toMatchObject([{ what: "events" }]);
  });
});
