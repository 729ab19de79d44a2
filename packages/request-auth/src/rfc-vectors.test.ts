import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseJwks } from "@signet/jwt";
import { describe, expect, test } from "vitest";
import { authenticateRequestNow } from "./authenticate-request.ts";
import { checkSignature } from "./check-signature.ts";
import { compileJwtRules } from "./compile-jwt-rules.ts";
import type { ParsedToken } from "./parse-token.ts";
import type { RequestAuthProfile } from "./profile.ts";
import { type RuleKey, readRuleKeys, ruleKeyOf } from "./rule-key.ts";
import { fullRequest, noKeys, rule } from "./test-tokens.ts";

type Vector = { readonly alg: string; readonly key: Readonly<Record<string, string>>; readonly compact: string };
type Vectors = {
  readonly signatures: Readonly<Record<string, Vector>>;
  readonly keySets: Readonly<Record<string, { readonly keys: readonly Readonly<Record<string, string>>[] }>>;
  readonly detached: string;
};

const vectors = JSON.parse(readFileSync(new URL("testdata/rfc-vectors.json", import.meta.url), "utf8")) as Vectors;
const all = Object.entries(vectors.signatures);
const asymmetric = all.filter(([, { alg }]) => !alg.startsWith("HS"));
const symmetric = all.filter(([, { alg }]) => alg.startsWith("HS"));

function vectorOf(section: string): Vector {
  const vector = vectors.signatures[section];
  if (vector === undefined) throw new Error(`no vector of ${section}`);
  return vector;
}

/** The keys of a set as each profile reads it. */
const readers: Readonly<Record<RequestAuthProfile, (jwks: string) => readonly RuleKey[]>> = {
  istio: readRuleKeys,
  strict: (jwks) => parseJwks(jwks).keys.map(ruleKeyOf),
};

/** Most of the RFCs' payloads are no claims, so what is asked is what stands below the claims. */
function signatureOutcome({ alg, compact }: Vector, keys: readonly RuleKey[], change = 0): string {
  const [header = "", payload = "", signature = ""] = compact.split(".");
  const octets = Buffer.from(signature, "base64url");
  octets[7] = (octets[7] ?? 0) ^ change;
  const { kid = "" } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid?: string };
  const token: ParsedToken = {
    kind: "token",
    newHeader: undefined,
    facts: {
      ...{ kind: "facts", algorithm: alg, keyId: kid, claims: {}, issuer: "", subject: "" },
      ...{ notBefore: 0, expiry: 0, audiences: [] },
    },
    payload,
    signingInput: Buffer.from(`${header}.${payload}`),
    signature: octets,
  };
  const outcome = checkSignature(token, keys);
  return typeof outcome === "string" ? outcome : "verified";
}

describe("signatures", () => {
  test.each(all)("%s, profile istio", (_section, vector) => {
    const keys = readers.istio(JSON.stringify({ keys: [vector.key] }));
    expect(signatureOutcome(vector, keys)).toBe("verified");
    expect(signatureOutcome(vector, keys, 1)).toBe("signature-invalid");
  });

  test.each(asymmetric)("%s, profile strict", (_section, vector) => {
    const keys = readers.strict(JSON.stringify({ keys: [vector.key] }));
    expect(signatureOutcome(vector, keys)).toBe("verified");
    expect(signatureOutcome(vector, keys, 1)).toBe("signature-invalid");
  });

  test.each(symmetric)("%s, profile strict: no key to use", (_section, { key }) => {
    expect(() => readers.strict(JSON.stringify({ keys: [key] }))).toThrow("private members");
  });

  test.each(all)("%s: no other vector's key verifies it", (section, vector) => {
    const others = all.filter(
      ([name, { key }]) => name !== section && JSON.stringify(key) !== JSON.stringify(vector.key),
    );
    const keys = others.flatMap(([, { key }]) => readers.istio(JSON.stringify({ keys: [{ ...key, kid: undefined }] })));
    expect(keys.length).toBeGreaterThan(3);
    for (const key of keys) expect(signatureOutcome(vector, [key])).not.toBe("verified");
  });
});

const joe = { iss: "joe", exp: 1_300_819_380, "http://example.com/is_root": true };

function ask(compact: string, key: object, { profile, at }: { profile: RequestAuthProfile; at: number }) {
  const rules = compileJwtRules([rule({ issuer: "joe", keySet: [key] })], { profile });
  const dependencies = { keysOf: noKeys, clock: { now: () => new Date(at * 1000) } };
  return authenticateRequestNow(rules, fullRequest({ bearer: compact }), dependencies, new AbortController().signal);
}

describe("whole tokens", () => {
  test.each<[string, RequestAuthProfile]>([
    ["RFC 7515 appendix A.1", "istio"],
    ["RFC 7515 appendix A.2", "istio"],
    ["RFC 7515 appendix A.2", "strict"],
    ["RFC 7515 appendix A.3", "istio"],
    ["RFC 7515 appendix A.3", "strict"],
  ])("%s, profile %s", (section, profile) => {
    const { compact, key } = vectorOf(section);
    const result = ask(compact, key, { profile, at: joe.exp });
    expect(result).toMatchObject({ kind: "authenticated", claims: joe });
    expect(ask(compact, key, { profile, at: joe.exp + 61 })).toMatchObject({ code: "token-expired" });
  });

  test("RFC 7515 appendix A.1, profile strict: refused", () => {
    const { compact, key } = vectorOf("RFC 7515 appendix A.1");
    expect(ask(compact, key, { profile: "strict", at: joe.exp })).toMatchObject({ code: "algorithm-unsupported" });
  });

  test.each(["RFC 7515 appendix A.4", "RFC 7520 section 4.1", "RFC 8037 appendix A.4"])(
    "%s: a good signature over what is no claims is no identity",
    (section) => {
      const { compact, key } = vectorOf(section);
      expect(ask(compact, key, { profile: "istio", at: 0 })).toMatchObject({ code: "payload-json-invalid" });
    },
  );

  test.each(["istio", "strict"] as const)(
    "RFC 7515 appendix A.5, profile %s: an unsecured token is refused",
    (profile) => {
      const { compact, key } = vectorOf("RFC 7515 appendix A.3");
      const [, payload = "", signature = ""] = compact.split(".");
      const unsecured = `eyJhbGciOiJub25lIn0.${payload}.`;
      expect(ask(unsecured, key, { profile, at: joe.exp })).toMatchObject({ code: "token-malformed" });
      expect(ask(unsecured + signature, key, { profile, at: joe.exp })).toMatchObject({
        code: "algorithm-unsupported",
      });
    },
  );

  test.each(["istio", "strict"] as const)(
    "RFC 7515 appendices A.6 and A.7, profile %s: JSON is no token",
    (profile) => {
      const { compact, key } = vectorOf("RFC 7515 appendix A.3");
      const [protectedHeader, payload, signature] = compact.split(".");
      const signatures = [
        { protected: protectedHeader, header: { kid: "e9bc097a-ce51-4036-9562-d2ade882db0d" }, signature },
      ];
      for (const json of [
        { payload, signatures },
        { payload, ...signatures[0] },
      ]) {
        expect(ask(JSON.stringify(json), key, { profile, at: joe.exp })).toMatchObject({ kind: "rejected" });
      }
    },
  );

  test.each(["istio", "strict"] as const)("RFC 7515 appendix E, profile %s: an unknown critical header", (profile) => {
    const { key } = vectorOf("RFC 7515 appendix A.3");
    const header =
      "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0";
    expect(ask(`${header}.RkFJTA.`, key, { profile, at: 0 })).toMatchObject({ kind: "rejected" });
    const signed = `${Buffer.from('{"alg":"ES256","crit":["http://example.com/UNDEFINED"]}').toString("base64url")}.e30.AA`;
    const code = profile === "strict" ? "critical-header-unsupported" : "issuer-unknown";
    expect(ask(signed, key, { profile, at: 0 })).toMatchObject({ code });
  });

  test("RFC 7520 section 4.5: detached content is no token", () => {
    const { key } = vectorOf("RFC 7520 section 4.4");
    expect(ask(vectors.detached, key, { profile: "istio", at: 0 })).toMatchObject({ code: "token-malformed" });
  });
});

describe("key sets", () => {
  const setOf = (section: string): string => JSON.stringify(vectors.keySets[section]);

  test("RFC 7517 appendix A.1, profile strict: the key for encryption is left out", () => {
    const keys = readers.strict(setOf("RFC 7517 appendix A.1"));
    expect(keys.map(({ keyId, algorithms }) => [keyId, [...algorithms]])).toEqual([["2011-04-29", ["RS256"]]]);
    // RFC 7638 section 3.1 has the thumbprint of this key: it was imported as it is.
    const { e, kty, n } = keys[0]?.key.export({ format: "jwk" }) ?? {};
    const thumbprint = createHash("sha256").update(JSON.stringify({ e, kty, n })).digest("base64url");
    expect(thumbprint).toBe("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  });

  test("RFC 7517 appendix A.1, profile istio: use is not looked at", () => {
    expect(readers.istio(setOf("RFC 7517 appendix A.1")).map(({ keyId }) => keyId)).toEqual(["1", "2011-04-29"]);
  });

  test("RFC 7517 appendix A.2: a private key is refused in profile strict, and its public half read in istio", () => {
    const [ec] = vectors.keySets["RFC 7517 appendix A.1"]?.keys ?? [];
    const jwks = JSON.stringify({ keys: [{ ...ec, use: "sig", d: "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE" }] });
    expect(() => readers.strict(jwks)).toThrow("private members");
    expect(readers.istio(jwks).map(({ key }) => key.type)).toEqual(["public"]);
  });

  test("RFC 7517 appendix A.3, profile istio: the key of RFC 7515 appendix A.1 among others", () => {
    const keys = readers.istio(setOf("RFC 7517 appendix A.3"));
    expect(keys).toHaveLength(1);
    expect(signatureOutcome(vectorOf("RFC 7515 appendix A.1"), keys)).toBe("verified");
  });

  test("RFC 7517 appendix A.3, profile strict: no key to use", () => {
    expect(() => readers.strict(setOf("RFC 7517 appendix A.3"))).toThrow("private members");
  });

  test("RFC 7520 sections 3.1 and 3.3: keys with one id, each tried for the tokens of its kind", () => {
    const sections = ["RFC 7520 section 4.1", "RFC 7520 section 4.2", "RFC 7520 section 4.3"];
    const jwks = JSON.stringify({ keys: [vectorOf("RFC 7520 section 4.3").key, vectorOf("RFC 7520 section 4.1").key] });
    for (const read of Object.values(readers)) {
      expect(sections.map((section) => signatureOutcome(vectorOf(section), read(jwks)))).toEqual([
        "verified",
        "verified",
        "verified",
      ]);
    }
  });

  test("RFC 8037 appendices A.2 and A.3: the key, and its thumbprint", () => {
    const { key } = vectorOf("RFC 8037 appendix A.4");
    const [read] = readers.strict(JSON.stringify({ keys: [key] }));
    const { crv, kty, x } = read?.key.export({ format: "jwk" }) ?? {};
    const thumbprint = createHash("sha256").update(JSON.stringify({ crv, kty, x })).digest("base64url");
    expect(thumbprint).toBe("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  });

  test("RFC 8037 appendix A.1: the private key is refused in profile strict", () => {
    const { key } = vectorOf("RFC 8037 appendix A.4");
    const jwks = JSON.stringify({ keys: [{ ...key, d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" }] });
    expect(() => readers.strict(jwks)).toThrow("private members");
  });
});
