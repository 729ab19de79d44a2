import type { PresentedCredentials } from "@signet/ca";
import { createJwtVerifier, type JwtClaims, type JwtVerifier } from "@signet/jwt";
import { testIssuer } from "@signet/jwt/testing";
import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { describe, expect, it } from "vitest";
import { createOidcTokenAuthenticator } from "./oidc-token.ts";

const never = new AbortController().signal;
const clock = new FakeClock();
const issuer = testIssuer({ issuer: "https://issuer.example", clock });
const other = testIssuer({ issuer: "https://other.example", alg: "EdDSA", clock });
const trustDomain = parseTrustDomain("cluster.local");

function presented(bearerToken?: string): PresentedCredentials {
  return {
    peerAddress: "192.0.2.1:4711",
    transport: "tls",
    ...(bearerToken !== undefined && { bearerToken }),
  };
}

const verifier = createJwtVerifier(
  {
    issuers: [issuer, other].map(({ issuer: name, keys }) => ({ issuer: name, audiences: ["istio-ca"], keys })),
    clockSkewSeconds: 60,
  },
  clock,
);

function authenticate(bearerToken?: string, by: JwtVerifier = verifier) {
  return createOidcTokenAuthenticator({ verifier: by, trustDomain }, clock).authenticate(presented(bearerToken), never);
}

const nowSeconds = clock.now().getTime() / 1000;

describe("the OIDC token authenticator", () => {
  it("has nothing to say without a token", async () => {
    expect(await authenticate()).toEqual({ kind: "not-applicable" });
  });

  it.each([
    ["system:serviceaccount:demo:frontend", "spiffe://cluster.local/ns/demo/sa/frontend"],
    ["system:serviceaccount:a:b.c-d.e", "spiffe://cluster.local/ns/a/sa/b.c-d.e"],
    [`system:serviceaccount:${"n".repeat(63)}:x`, `spiffe://cluster.local/ns/${"n".repeat(63)}/sa/x`],
  ])("knows %s", async (sub, spiffeId) => {
    expect(await authenticate(issuer.sign({ sub }))).toEqual({
      kind: "authenticated",
      caller: { spiffeId, source: "token" },
    });
  });

  it("knows callers of several issuers", async () => {
    expect((await authenticate(other.sign())).kind).toBe("authenticated");
  });

  it.each([
    "system:serviceaccount",
    "system:serviceaccount:",
    "system:serviceaccount:demo",
    "system:serviceaccount:demo:",
    "system:serviceaccount::frontend",
    "system:serviceaccount:demo:frontend:extra",
    "system:serviceaccountdemo:x:frontend:y",
    "system:serviceaccounts:demo:frontend",
    "System:serviceaccount:demo:frontend",
    "x:serviceaccount:demo:frontend",
    "system:serviceaccount:demo/sa/admin:frontend",
    "system:serviceaccount:demo:../admin",
    "system:serviceaccount:demo,x:frontend",
    "system:serviceaccount:Demo:frontend",
    "system:serviceaccount:-demo:frontend",
    "system:serviceaccount:demo:frontend\n",
    "system:serviceaccount:dem\u00f6:frontend",
    `system:serviceaccount:${"n".repeat(64)}:x`,
    `system:serviceaccount:demo:${"s.".repeat(126)}ss`,
    "frontend",
  ])("does not take %j for a service account", async (sub) => {
    expect(await authenticate(issuer.sign({ sub }))).toMatchObject({
      kind: "rejected",
      reason: "subject-not-service-account",
    });
  });

  it.each<[string, JwtClaims, string]>([
    ["of another audience", { aud: ["vault"] }, "audience-mismatch"],
    ["without audience", { aud: undefined }, "audience-mismatch"],
    ["of an unknown issuer", { iss: "https://evil.example" }, "issuer-unknown"],
    ["that claims another issuer", { iss: "https://other.example" }, "key-unsuitable"],
    ["long expired", { exp: nowSeconds - 3600 }, "token-expired"],
    ["that expires now", { exp: nowSeconds }, "token-expired"],
    ["that expired within the verifier's clock skew", { exp: nowSeconds - 30 }, "token-expired"],
    ["without expiry", { exp: undefined }, "expiry-missing"],
    ["of the day after tomorrow", { nbf: nowSeconds + 172_800, iat: nowSeconds + 172_800 }, "token-not-yet-valid"],
    ["without subject", { sub: undefined }, "subject-missing"],
  ])("rejects a token %s", async (_, claims, reason) => {
    expect(await authenticate(issuer.sign(claims))).toMatchObject({ kind: "rejected", reason });
  });

  it("lets the issuer's clock be a little ahead", async () => {
    const ahead = { iat: nowSeconds + 30, nbf: nowSeconds + 30 };
    expect((await authenticate(issuer.sign(ahead))).kind).toBe("authenticated");
  });

  it("cannot tell while keys are away", async () => {
    const away = testIssuer({ issuer: "https://away.example", clock });
    away.keys.fail("connection refused");
    const issuers = [{ issuer: away.issuer, audiences: ["istio-ca"], keys: away.keys }];
    const result = await authenticate(away.sign(), createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock));
    expect(result).toMatchObject({ kind: "unavailable", reason: "keys-unavailable" });
  });

  it("puts no token into what is logged", async () => {
    const token = `${issuer.sign().slice(0, -6)}AAAAAA`;
    const result = await authenticate(token);
    expect(result).toMatchObject({ kind: "rejected", reason: "signature-invalid" });
    expect(JSON.stringify(result)).not.toContain(token.slice(0, 20));
  });
});
