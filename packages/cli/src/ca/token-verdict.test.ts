import { testIssuer } from "@signet/jwt/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createExplainFixture, type ExplainFixture, now } from "./testing/explain-fixture.ts";

const at = Date.parse(now) / 1000;
const clock = { now: () => new Date(now) };
const cluster = testIssuer({ issuer: "https://kubernetes.default.svc", clock });
const oidc = testIssuer({ issuer: "https://issuer.example", kid: "o1", clock });
const bound = {
  "kubernetes.io": {
    namespace: "demo",
    serviceaccount: { name: "frontend", uid: "sa-uid" },
    pod: { name: "frontend-0", uid: "pod-uid" },
    node: { name: "node-1", uid: "node-uid" },
  },
};

let fixture: ExplainFixture;
beforeEach(() => {
  fixture = createExplainFixture();
});
afterEach(() => fixture.remove());

describe("a token of the API server", () => {
  it("is accepted by either way with its keys, and for a review it is said what only the API server knows", async () => {
    const { code, oidc: byOidc, review, local } = await fixture.judge(cluster.sign(bound), [fixture.keysOf(cluster)]);
    expect(code).toBe(0);
    expect(byOidc).toMatchObject({ configured: false, verdict: "refuses", reason: "issuer-unknown" });
    expect(review).toMatchObject({
      configured: true,
      verdict: "accepts",
      spiffeId: "spiffe://cluster.local/ns/demo/sa/frontend",
      unless: [
        "service account demo/frontend (UID sa-uid) has been deleted",
        "pod demo/frontend-0 (UID pod-uid) has been deleted",
        "node node-1 (UID node-uid) has been deleted",
      ],
    });
    expect(local).toMatchObject({
      configured: false,
      verdict: "accepts",
      detail: expect.stringContaining("deletions"),
    });
  });

  it("cannot be told without its keys, with how to get them", async () => {
    const { code, review } = await fixture.judge(cluster.sign(bound));
    expect(code).toBe(1);
    expect(review).toMatchObject({ verdict: "cannot-tell", reason: "keys-unavailable" });
    expect(review.detail).toContain("only the API server can say");
    expect(review.hints.join()).toContain("kubectl get --raw /openid/v1/jwks");
  });

  it("without the claims that bind it is refused by local verification, and for the API server to say otherwise", async () => {
    const { code, review, local } = await fixture.judge(cluster.sign(), [fixture.keysOf(cluster)]);
    expect([code, review.verdict, local.verdict, local.reason]).toEqual([
      1,
      "cannot-tell",
      "refuses",
      "pod-claims-missing",
    ]);
    expect(local.hints.join()).toContain("TokenRequest");
  });

  it("is judged by the way that is configured", async () => {
    const env = { SIGNET_KUBERNETES_TOKEN_VERIFICATION: "local" };
    expect((await fixture.judge(cluster.sign(), [fixture.keysOf(cluster)], env)).local).toMatchObject({
      configured: true,
    });
    const { code, review } = await fixture.judge(cluster.sign(bound), [fixture.keysOf(cluster)], env);
    expect([code, review.configured]).toEqual([0, false]);
  });
});

describe("a token that is refused", () => {
  const rows: readonly [what: string, token: () => string, reason: string, detail: RegExp, hint: RegExp][] = [
    [
      "expired",
      () => cluster.sign({ ...bound, iat: at - 3600, nbf: at - 3600, exp: at - 180 }),
      "token-expired",
      /expired/,
      /it expired 3 minutes ago \(2026-06-01T11:57:00Z\)/,
    ],
    [
      "expired within the clock skew",
      () => cluster.sign({ ...bound, exp: at }),
      "token-expired",
      /skew/,
      /it expired now/,
    ],
    ["of the future", () => cluster.sign({ ...bound, nbf: at + 3600 }), "token-not-yet-valid", /3600s/, /clocks/],
    [
      "for others",
      () => cluster.sign({ ...bound, aud: ["vault", "api"] }),
      "audience-mismatch",
      /"vault", "api".*"istio-ca"/,
      /the token is for "vault", "api".*accepted: "istio-ca"/s,
    ],
    [
      "by a key that is not given",
      () => testIssuer({ issuer: cluster.issuer, kid: "k9", clock }).sign(bound),
      "key-not-found",
      /"k9"/,
      /keys given of its issuer: "test"/,
    ],
    ["altered", () => forged(cluster.sign(bound)), "signature-invalid", /signature/, /altered/],
    ["without a subject", () => cluster.sign({ ...bound, sub: undefined }), "subject-missing", /sub/, /^$/],
  ];
  it.each(rows)("because it is %s, with the reason", async (_, token, reason, detail, hint) => {
    const { code, review, local } = await fixture.judge(token(), [fixture.keysOf(cluster)]);
    expect(code).toBe(1);
    for (const row of [review, local]) {
      expect(row).toMatchObject({ verdict: "refuses", reason });
      expect(row.detail).toMatch(detail);
      expect(row.hints.join("\n")).toMatch(hint);
    }
  });

  it("because its subject is no service account", async () => {
    const { review, oidc: byOidc } = await fixture.judge(oidc.sign({ sub: "alice" }), [
      fixture.keysOf(oidc),
      ...["--issuer", oidc.issuer],
    ]);
    expect(byOidc).toMatchObject({ verdict: "refuses", reason: "subject-not-service-account" });
    expect(byOidc.hints.join()).toContain('"alice"');
    expect(review.verdict).toBe("cannot-tell");
    const { review: ofCluster } = await fixture.judge(cluster.sign({ ...bound, sub: "alice" }), [
      fixture.keysOf(cluster),
    ]);
    expect(ofCluster).toMatchObject({ verdict: "refuses", reason: "subject-not-service-account" });
  });

  it.each([
    ["no token at all", "hello", "token-malformed"],
    ["too large", "a".repeat(16_385), "token-too-large"],
  ])("because it is %s, without showing it", async (_, token, reason) => {
    const { code, report, review } = await fixture.judge(token);
    expect([code, review.verdict, review.reason]).toEqual([1, "refuses", reason]);
    expect(report).toMatchObject({ token: { problem: { reason } } });
    expect(JSON.stringify(report)).not.toContain(token);
  });
});

describe("a token of an OIDC issuer", () => {
  it("is accepted with the issuer's keys, by the server's own variables and flags", async () => {
    const env = {
      JWT_RULE: JSON.stringify({ issuer: oidc.issuer, audiences: ["ca"] }),
      SIGNET_TRUST_DOMAIN: "a.example",
    };
    const { code, oidc: row, review } = await fixture.judge(oidc.sign({ aud: "ca" }), [fixture.keysOf(oidc)], env);
    expect([code, row.verdict, row.spiffeId]).toEqual([0, "accepts", "spiffe://a.example/ns/demo/sa/frontend"]);
    // Its keys are not the API server's, whose audiences are its own as well.
    expect(review).toMatchObject({ verdict: "refuses", reason: "audience-mismatch" });
    const flags = [
      "--jwt-rule",
      JSON.stringify({ issuer: oidc.issuer }),
      "--trust-domain",
      "b.example",
      fixture.keysOf(oidc),
    ];
    const byFlags = await fixture.judge(oidc.sign(), flags);
    expect(byFlags.oidc.spiffeId).toBe("spiffe://b.example/ns/demo/sa/frontend");
    expect(byFlags.review).toMatchObject({ verdict: "cannot-tell", detail: expect.stringContaining("OIDC issuer") });
  });

  it("takes the audiences of --audience", async () => {
    const args = ["--issuer", oidc.issuer, "--audience", "x,y", fixture.keysOf(oidc)];
    expect((await fixture.judge(oidc.sign({ aud: ["y"] }), args)).oidc.verdict).toBe("accepts");
    expect((await fixture.judge(oidc.sign(), args)).oidc.hints.join()).toContain('accepted: "x", "y"');
  });

  it.each([
    ["https://issuer.example/", "a slash at the end"],
    ["http://issuer.example", "http and https"],
    ["https://Issuer.example", "upper and lower case"],
    ["https://isuer.example", "character by character"],
  ])("of issuer %s is told the nearest one that is configured", async (issuer, difference) => {
    const { oidc: row } = await fixture.judge(testIssuer({ issuer, clock }).sign(), [
      ...["--jwt-rule", JSON.stringify([{ issuer: "https://other.example" }, { issuer: oidc.issuer }])],
    ]);
    expect(row).toMatchObject({ verdict: "refuses", reason: "issuer-unknown" });
    expect(row.hints[0]).toContain(`nearest configured issuer: "${oidc.issuer}"`);
    expect(row.hints[0]).toContain(difference);
    expect(row.hints[1]).toContain('"https://other.example"');
  });

  it("cannot be told without its keys", async () => {
    const { code, oidc: row } = await fixture.judge(oidc.sign(), ["--issuer", oidc.issuer, fixture.keysOf(cluster)]);
    expect([code, row.verdict, row.reason]).toEqual([1, "cannot-tell", "keys-unavailable"]);
    expect(row.hints.join()).toContain(`keys were given of "${cluster.issuer}"`);
  });
});

/** The same token with other claims under its signature. */
function forged(token: string): string {
  const [header, claims = "", signature] = token.split(".");
  const text = Buffer.from(claims, "base64url").toString().replace("frontend-0", "frontend-1");
  return [header, Buffer.from(text).toString("base64url"), signature].join(".");
}
