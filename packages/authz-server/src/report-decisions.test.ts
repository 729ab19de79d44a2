import { type AuthorizationResult, parseAttributeContext } from "@signet/authorizer";
import { parseWorkload } from "@signet/documents";
import { FakeClock, fakeLogger } from "@signet/runtime/testing";
import { describe, expect, test } from "vitest";
import { createAuthzMetrics, createPolicyLabels } from "./metrics.ts";
import { reportDecisions } from "./report-decisions.ts";
import type { AuthzSettingValues } from "./settings.ts";

const rule = { policy: { namespace: "foo", name: "a" }, ruleIndex: 0, id: "ns[foo]-policy[a]-rule[0]" };
const allowed: AuthorizationResult = {
  effect: "allow",
  reason: "no-policy",
  audit: [],
  shadow: {},
  upstream: { remove: [], add: [] },
  downstream: [],
};
const denied: AuthorizationResult = {
  ...allowed,
  effect: "deny",
  reason: "deny-matched",
  policy: rule.policy,
  rule: 0,
  id: rule.id,
  requestPrincipal: "i/s",
  payload: { secret: "claim" },
};
const request = parseAttributeContext({
  source: { principal: "spiffe://td/ns/foo/sa/web", address: { socketAddress: { address: "10.0.0.7" } } },
  request: {
    http: { method: "GET", host: "shop", path: "/p?token=secret", headers: { authorization: "Bearer secret" } },
  },
});

function create(
  settings: Partial<Pick<AuthzSettingValues, "decisionLog" | "allowedSample" | "redact">> = {},
  random = () => 0.5,
) {
  const logger = fakeLogger();
  const clock = new FakeClock();
  const metrics = createAuthzMetrics({ checksWaiting: () => 3, jwksKeys: () => 2 });
  const events = reportDecisions(
    { decisionLog: "denied", allowedSample: 1, redact: [], ...settings },
    { logger, metrics, clock, random },
  );
  const decided = (result: AuthorizationResult): void =>
    events.decided({ request, workload: parseWorkload("foo"), result, durationMs: 1.5 });
  return { logger, clock, metrics, events, decided };
}

describe("the decision log", () => {
  test("has who, what and why of denied requests, and nothing secret", () => {
    const { logger, decided } = create();
    decided(allowed);
    decided(denied);
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toMatchObject({
      level: "info",
      message: "request decided",
      fields: {
        ...{
          effect: "deny",
          reason: "deny-matched",
          policyId: rule.id,
          namespace: "foo",
          method: "GET",
          host: "shop",
          path: "/p",
        },
        ...{
          peerPrincipal: "spiffe://td/ns/foo/sa/web",
          requestPrincipal: "i/s",
          remoteAddress: "10.0.0.7",
          durationMs: 1.5,
        },
      },
    });
    expect(JSON.stringify(logger.lines)).not.toContain("secret");
  });

  test("leaves out what is to be left out", () => {
    const { logger, decided } = create({
      redact: ["path", "peerPrincipal", "requestPrincipal", "remoteAddress", "host"],
    });
    decided(denied);
    expect(JSON.stringify(logger.lines)).not.toMatch(/\/p|spiffe|i\/s|10\.0\.0\.7|shop/);
  });

  test.each([
    ["none", denied, 0.1, 0],
    ["denied", allowed, 0.1, 0],
    ["denied", { ...allowed, audit: [rule] }, 0.1, 1],
    ["all", allowed, 0.1, 1],
    ["all", allowed, 0.9, 0],
    ["all", denied, 0.9, 1],
  ] as const)("with %s has so much of it", (decisionLog, result, random, lines) => {
    const { logger, decided } = create({ decisionLog, allowedSample: 0.5 }, () => random);
    decided(result);
    expect(logger.lines).toHaveLength(lines);
  });

  test("is bounded in each minute, and says how many lines it left out", async () => {
    const { logger, decided, clock } = create();
    for (let times = 0; times < 6_010; times++) decided(denied);
    expect(logger.lines).toHaveLength(6_000);
    await clock.advance(60_000);
    decided(denied);
    expect(logger.lines.at(-1)?.fields).toMatchObject({ suppressed: 10 });
  });
});

describe("the metrics", () => {
  test("count by effect, reason and policy", async () => {
    const { metrics, decided, events } = create();
    decided(denied);
    decided(allowed);
    events.failed({ cause: "overload", onFailure: "deny", error: "x" });
    events.workloadUnknown({ why: "x" });
    const text = await metrics.registry.text();
    expect(text).toContain('signet_authz_decisions{effect="deny",reason="deny-matched"} 1');
    expect(text).toContain('signet_authz_policy_decisions{policy="foo/a",effect="deny"} 1');
    expect(text).toContain('signet_authz_failures{cause="overload"} 1');
    expect(text).toContain('signet_authz_failures{cause="workload-unknown"} 1');
    expect(text).toContain("signet_authz_checks_waiting 3");
  });

  test("never have more than a thousand names of policies", () => {
    const labelOf = createPolicyLabels();
    const labels = new Set(Array.from({ length: 5_000 }, (_, at) => labelOf(`foo/p${at}`)));
    expect(labels.size).toBe(1_001);
    expect(labelOf("foo/p0")).toBe("foo/p0");
    expect(labelOf("foo/p4999")).toBe("other");
  });
});
