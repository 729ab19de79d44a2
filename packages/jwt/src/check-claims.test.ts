import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import type { JwtClaims } from "./compact-token.ts";
import { decodeJwtUnverified } from "./decode-jwt.ts";
import { testIssuer } from "./testing.ts";
import { createJwtVerifier } from "./verify-jwt.ts";

const clock = new FakeClock(new Date("2026-06-01T12:00:00Z"));
const now = clock.now().getTime() / 1000;
const trusted = testIssuer({ issuer: "https://issuer.example", clock });
const issuers = [{ issuer: trusted.issuer, audiences: ["istio-ca", "other"], keys: trusted.keys }];
const verifier = createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock);

async function codeOf(token: string): Promise<string> {
  const result = await verifier.verify(token, new AbortController().signal);
  return result.kind === "verified" ? "verified" : result.code;
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}

describe("the claims of a token", () => {
  it.each<[string, JwtClaims, string]>([
    ["one audience as a string", { aud: "istio-ca" }, "verified"],
    ["one of several audiences", { aud: ["a", "other"] }, "verified"],
    ["no start and no issue time", { nbf: undefined, iat: undefined }, "verified"],
    ["fractions of a second", { exp: now + 0.5, nbf: now - 0.5 }, "verified"],
    ["expiry within the skew", { exp: now - 59 }, "verified"],
    ["expiry at the end of the skew", { exp: now - 60 }, "token-expired"],
    ["expiry long ago", { exp: 0 }, "token-expired"],
    ["negative expiry", { exp: -1e308 }, "token-expired"],
    ["no expiry", { exp: undefined }, "expiry-missing"],
    ["expiry null", { exp: null }, "token-malformed"],
    ["expiry as text", { exp: String(now + 3600) }, "token-malformed"],
    ["expiry as an array", { exp: [now + 3600] }, "token-malformed"],
    ["start within the skew", { nbf: now + 60 }, "verified"],
    ["start past the skew", { nbf: now + 61 }, "token-not-yet-valid"],
    ["start as text", { nbf: "0" }, "token-malformed"],
    ["issued within the skew", { iat: now + 60 }, "verified"],
    ["issued past the skew", { iat: now + 61 }, "token-not-yet-valid"],
    ["issued as an object", { iat: {} }, "token-malformed"],
    ["no audience", { aud: undefined }, "audience-mismatch"],
    ["an empty list of audiences", { aud: [] }, "audience-mismatch"],
    ["another audience", { aud: "istio-c" }, "audience-mismatch"],
    ["an audience in another case", { aud: ["Istio-CA"] }, "audience-mismatch"],
    ["a list inside the list", { aud: [["istio-ca"]] }, "token-malformed"],
    ["a number among audiences", { aud: ["istio-ca", 1] }, "token-malformed"],
    ["an object as audience", { aud: { 0: "istio-ca" } }, "token-malformed"],
    ["no issuer", { iss: undefined }, "issuer-unknown"],
    ["an unknown issuer", { iss: "https://issuer.example/" }, "issuer-unknown"],
    ["an issuer that is no text", { iss: ["https://issuer.example"] }, "token-malformed"],
    ["an empty issuer", { iss: "" }, "issuer-unknown"],
    ["a name of Object.prototype as issuer", { iss: "constructor" }, "issuer-unknown"],
    ["no subject", { sub: undefined }, "subject-missing"],
    ["an empty subject", { sub: "" }, "subject-missing"],
    ["a subject that is no text", { sub: 7 }, "token-malformed"],
  ])("of a token with %s", async (_, claims, code) => {
    expect(await codeOf(trusted.sign(claims))).toBe(code);
  });

  it("refuses an expiry that JSON reads as infinite", async () => {
    const claims = encode(
      JSON.stringify(decodeJwtUnverified(trusted.sign()).claims).replace(/"exp":\d+/, '"exp":1e999'),
    );
    const token = `${encode('{"alg":"ES256","kid":"test"}')}.${claims}.c2ln`;
    expect(await codeOf(token)).toBe("token-malformed");
  });
});
