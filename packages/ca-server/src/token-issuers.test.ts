import { describe, expect, it } from "vitest";
import { parseCaServerSettings } from "./settings.ts";

function settings(env: Record<string, string>, args: string[] = []) {
  const parsed = parseCaServerSettings({ env, args });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  return parsed.settings;
}

function problems(env: Record<string, string>, args: string[] = []): readonly string[] {
  const parsed = parseCaServerSettings({ env, args });
  return parsed.kind === "invalid" ? parsed.problems : [];
}

describe("token issuers", () => {
  const issuer = "https://issuer.example";

  it.each<[string, Record<string, string>, object[]]>([
    ["a rule", { JWT_RULE: JSON.stringify({ issuer }) }, [{ issuer, audiences: ["istio-ca"] }]],
    [
      "a rule with keys and audiences",
      { JWT_RULE: JSON.stringify({ issuer, jwksUri: "https://keys.example/jwks", audiences: ["a", "b"] }) },
      [{ issuer, jwksUri: "https://keys.example/jwks", audiences: ["a", "b"] }],
    ],
    [
      "the field as protobuf names it, and fields that are Envoy's business",
      { JWT_RULE: JSON.stringify({ issuer, jwks_uri: "https://keys.example/jwks", forwardOriginalToken: true }) },
      [{ issuer, jwksUri: "https://keys.example/jwks", audiences: ["istio-ca"] }],
    ],
    [
      "several rules",
      { JWT_RULE: JSON.stringify([{ issuer }, { issuer: "https://other.example", audiences: ["x"] }]) },
      [
        { issuer, audiences: ["istio-ca"] },
        { issuer: "https://other.example", audiences: ["x"] },
      ],
    ],
    ["TOKEN_ISSUER", { TOKEN_ISSUER: issuer, TOKEN_AUDIENCES: "a,b" }, [{ issuer, audiences: ["a", "b"] }]],
    ["TOKEN_ISSUER with AUDIENCE", { TOKEN_ISSUER: issuer, AUDIENCE: "x" }, [{ issuer, audiences: ["x"] }]],
    [
      "an issuer on this machine without TLS",
      { TOKEN_ISSUER: "http://127.0.0.1:1" },
      [{ issuer: "http://127.0.0.1:1", audiences: ["istio-ca"] }],
    ],
  ])("come from %s", (_, env, expected) => {
    expect(settings(env).issuers).toEqual(expected);
  });

  it.each<[string, Record<string, string>]>([
    ["no issuer", { JWT_RULE: "{}" }],
    ["JSON that is no object", { JWT_RULE: "7" }],
    ["a misspelt field", { JWT_RULE: JSON.stringify({ issuer, audience: ["x"] }) }],
    ["keys given in place", { JWT_RULE: JSON.stringify({ issuer, jwks: "{}" }) }],
    ["audiences that are not a list", { JWT_RULE: JSON.stringify({ issuer, audiences: "x" }) }],
    ["an empty audience", { JWT_RULE: JSON.stringify({ issuer, audiences: [""] }) }],
    ["a key location that is no text", { JWT_RULE: JSON.stringify({ issuer, jwksUri: 7 }) }],
    ["keys over http", { JWT_RULE: JSON.stringify({ issuer, jwksUri: "http://keys.example/jwks" }) }],
    ["an issuer over http", { TOKEN_ISSUER: "http://issuer.example" }],
    ["an issuer given twice", { JWT_RULE: JSON.stringify({ issuer }), TOKEN_ISSUER: issuer }],
    ["no audience at all", { TOKEN_ISSUER: issuer, TOKEN_AUDIENCES: "" }],
  ])("are refused with %s", (_, env) => {
    expect(problems(env)).toHaveLength(1);
  });
});
