import { parseTrustDomain } from "@signet/spiffe";
import { describe, expect, it } from "vitest";
import type { TokenFileResult } from "../ca-client/token-file.ts";
import { requestedSpiffeId } from "./requested-spiffe-id.ts";

const trustDomain = parseTrustDomain("cluster.local");
const none: TokenFileResult = { kind: "unavailable", reason: "missing" };

function tokenOf(claims: unknown): TokenFileResult {
  const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
  return { kind: "token", token: `e30.${payload}.sig` };
}

const token = tokenOf({ sub: "system:serviceaccount:demo:frontend" });

describe("requestedSpiffeId", () => {
  it.each([
    ["the settings", "a", "b", token, "ns/a/sa/b"],
    ["the token where both settings are silent", "", "", token, "ns/demo/sa/frontend"],
    ["the token where one setting is silent", "a", "", token, "ns/a/sa/frontend"],
    ["nobody without a token", "", "", none, "ns/unknown/sa/unknown"],
    ["nobody for another kind of subject", "", "", tokenOf({ sub: "alice" }), "ns/unknown/sa/unknown"],
    ["nobody for a longer subject", "", "", tokenOf({ sub: "system:serviceaccount:a:b:c" }), "ns/unknown/sa/unknown"],
    [
      "nobody for a subject of odd names",
      "",
      "",
      tokenOf({ sub: "system:serviceaccount:a/b:c" }),
      "ns/unknown/sa/unknown",
    ],
    ["nobody for a subject that is no text", "", "", tokenOf({ sub: 1 }), "ns/unknown/sa/unknown"],
    ["nobody for claims that are no object", "", "", tokenOf(null), "ns/unknown/sa/unknown"],
    ["nobody for a token that is no JWT", "", "", { kind: "token", token: "opaque" } as const, "ns/unknown/sa/unknown"],
  ])("takes %s", (_title, namespace, serviceAccount, from, path) => {
    expect(requestedSpiffeId({ trustDomain, namespace, serviceAccount }, from)).toBe(`spiffe://cluster.local/${path}`);
  });
});
