import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { setting } from "./setting.ts";
import { parseSettings, type SettingsSpec } from "./settings.ts";

const listen = { host: "::", port: 15012 };
const spec = {
  address: setting.text({ env: "CA_ADDR", flag: "ca-addr", default: "istiod:15012", description: "the CA" }),
  token: setting.text({ env: "TOKEN_FILE", flag: "token-file", description: "the token" }),
  password: setting.text({ env: "PASSWORD", flag: "password", description: "a secret", secret: true }),
  pin: setting.integer({ env: "PIN", flag: "pin", default: 1234, description: "a secret", secret: true, min: 1000 }),
  bits: setting.integer({ env: "BITS", flag: "--bits", default: 2048, description: "key size", min: 2048, max: 4096 }),
  pkcs8: setting.bool({ env: "PKCS8_KEY", flag: "pkcs8-key", default: false, description: "key format" }),
  ttl: setting.duration({
    env: "SECRET_TTL",
    flag: "secret-ttl",
    default: 86_400_000,
    description: "lifetime",
    maxMs: 86_400_000,
  }),
  names: setting.list({ env: "NAMES", flag: "names", default: ["a"], description: "names" }),
  curve: setting.choice({
    env: "ECC_CURVE",
    flag: "ecc-curve",
    choices: ["P256", "P384"],
    default: "P256",
    description: "curve",
  }),
  listen: setting.hostPort({ env: "LISTEN", flag: "listen", default: listen, description: "where to listen" }),
  rule: setting.json({ env: "JWT_RULE", flag: "jwt-rule", description: "a rule", read: readIssuer }),
  domain: setting.parsed({
    env: "DOMAIN",
    flag: "domain",
    default: "cluster.local",
    description: "domain",
    read: readDomain,
  }),
};

function readIssuer(value: unknown): { issuer: string } {
  if (typeof value !== "object" || value === null || !("issuer" in value) || typeof value.issuer !== "string") {
    throw new Error("no issuer");
  }
  return { issuer: value.issuer };
}

function readDomain(text: string): string {
  if (!/^[a-z.]+$/.test(text)) throw new Error(`${text} has other characters than a to z`);
  return text;
}

function valuesOf(input: { env?: Record<string, string>; args?: string[] }): Record<string, unknown> {
  const result = parseSettings(spec, { env: input.env ?? {}, args: input.args ?? [] });
  if (result.kind !== "settings") throw new Error(JSON.stringify(result));
  return result.values;
}

function problemsOf(input: { env?: Record<string, string>; args?: string[] }): readonly string[] {
  const result = parseSettings(spec, { env: input.env ?? {}, args: input.args ?? [] });
  return result.kind === "invalid" ? result.problems : [];
}

describe("parseSettings", () => {
  it("has a type for every value", () => {
    const result = parseSettings(spec, { env: {}, args: [] });
    if (result.kind !== "settings") throw new Error("invalid");
    expectTypeOf(result.values.address).toEqualTypeOf<string>();
    expectTypeOf(result.values.token).toEqualTypeOf<string | undefined>();
    expectTypeOf(result.values.bits).toEqualTypeOf<number>();
    expectTypeOf(result.values.names).toExtend<readonly string[]>();
    expectTypeOf(result.values.curve).toEqualTypeOf<"P256" | "P384">();
    expectTypeOf(result.values.listen).toExtend<{ readonly host: string; readonly port: number }>();
    expectTypeOf(result.values.rule).toEqualTypeOf<{ issuer: string } | undefined>();
    const withoutReader = setting.json({ env: "X", description: "anything" });
    expectTypeOf(withoutReader.default).toBeUnknown();
  });

  it("gives the defaults when nothing is set", () => {
    expect(valuesOf({})).toEqual({
      address: "istiod:15012",
      token: undefined,
      password: undefined,
      pin: 1234,
      bits: 2048,
      pkcs8: false,
      ttl: 86_400_000,
      names: ["a"],
      curve: "P256",
      listen,
      rule: undefined,
      domain: "cluster.local",
    });
  });

  it.each<[string, string, unknown]>([
    ["CA_ADDR", "localhost:1", "localhost:1"],
    ["CA_ADDR", " spaces stay ", " spaces stay "],
    ["BITS", "4096", 4096],
    ["BITS", "+3072", 3072],
    ...["1", "t", "T", "TRUE", "true", "True"].map((text): [string, string, unknown] => ["PKCS8_KEY", text, true]),
    ...["0", "f", "F", "FALSE", "false", "False"].map((text): [string, string, unknown] => ["PKCS8_KEY", text, false]),
    ["SECRET_TTL", "1m30s", 90_000],
    ["NAMES", " b, c ,,d", ["b", "c", "d"]],
    ["ECC_CURVE", "P384", "P384"],
    ["LISTEN", "localhost:0", { host: "localhost", port: 0 }],
    ["JWT_RULE", '{"issuer":"https://a"}', { issuer: "https://a" }],
    ["DOMAIN", "td.example", "td.example"],
  ])("reads %s=%j from the environment, and the same from its flag", (name, text, expected) => {
    const key = Object.entries(spec).find(([, one]) => one.env === name);
    if (key === undefined) throw new Error("no such setting");
    const [field, { flag = "" }] = key;
    expect(valuesOf({ env: { [name]: text } })[field]).toEqual(expected);
    expect(valuesOf({ args: [`--${flag}=${text}`] })[field]).toEqual(expected);
    if (flag !== "pkcs8-key") expect(valuesOf({ args: [`--${flag}`, text] })[field]).toEqual(expected);
  });

  it("takes the bare flag of a bool for true and leaves what follows alone", () => {
    expect(valuesOf({ args: ["--pkcs8-key", "--bits", "3072"] })).toMatchObject({ pkcs8: true, bits: 3072 });
    expect(problemsOf({ args: ["--pkcs8-key", "false"] })).toEqual(['unexpected argument "false"']);
  });

  it("prefers flag to environment to default, also where the environment is wrong", () => {
    expect(valuesOf({ env: { BITS: "4096" }, args: ["--bits", "3072"] })).toMatchObject({ bits: 3072 });
    expect(valuesOf({ env: { BITS: "lots" }, args: ["--bits", "3072"] })).toMatchObject({ bits: 3072 });
  });

  it("takes the last of a repeated flag, and adds lists up", () => {
    const args = ["--bits=4096", "--bits=2048", "--names", "b,c", "--names=d"];
    expect(valuesOf({ args })).toMatchObject({ bits: 2048, names: ["b", "c", "d"] });
  });

  it("takes an empty variable for the empty text where that overrides a default, else for unset", () => {
    const names = Object.values(spec).map((one) => [one.env ?? "", ""]);
    expect(valuesOf({ env: Object.fromEntries(names) })).toEqual({ ...valuesOf({}), address: "", names: [] });
  });

  it("takes an empty flag at its word", () => {
    expect(valuesOf({ args: ["--ca-addr="] })).toMatchObject({ address: "" });
    expect(problemsOf({ args: ["--secret-ttl="] })).toHaveLength(1);
  });

  it("ignores variables that are not ours", () => {
    expect(valuesOf({ env: { PATH: "/bin" } })).toEqual(valuesOf({}));
  });

  it("reports every problem at once, with both names, the one that was used first, and the value", () => {
    const env = { BITS: "1024", SECRET_TTL: "1 day", ECC_CURVE: "p256", LISTEN: "15012", JWT_RULE: "{" };
    const args = ["--domain=UPPER", "--pkcs8-key=yes", "--names", "--verbose", "loud", "stray"];
    expect(problemsOf({ env, args })).toEqual([
      "unknown flag --verbose",
      'unexpected argument "stray"',
      'BITS (flag --bits): "1024" is below the minimum 2048',
      '--pkcs8-key (variable PKCS8_KEY): "yes" is neither "true" nor "false"',
      'SECRET_TTL (flag --secret-ttl): "1 day" is not a duration such as "24h", "1m30s" or "100ms"',
      "--names (variable NAMES): its value is missing",
      'ECC_CURVE (flag --ecc-curve): "p256" is none of "P256", "P384"',
      'LISTEN (flag --listen): "15012" is not a host and port such as "localhost:15012" or ":15012"',
      'JWT_RULE (flag --jwt-rule): "{" is not JSON',
      '--domain (variable DOMAIN): "UPPER" is not valid: UPPER has other characters than a to z',
    ]);
  });

  it.each([
    ["BITS", "4097", "is above the maximum 4096"],
    ["BITS", "2048.5", "is not an integer"],
    ["BITS", "0x800", "is not an integer"],
    ["BITS", " 2048", "is not an integer"],
    ["BITS", "99999999999999999999", "is not an integer"],
    ["PKCS8_KEY", "yes", 'is neither "true" nor "false"'],
    ["SECRET_TTL", "-1s", "is below the minimum 0s"],
    ["SECRET_TTL", "25h", "is above the maximum 24h0m0s"],
    ["JWT_RULE", "{}", "is not valid: no issuer"],
  ])("refuses %s=%s, since it %s", (name, text, why) => {
    const [problem = ""] = problemsOf({ env: { [name]: text } });
    expect(problem).toContain(`${JSON.stringify(text)} ${why}`);
  });

  it("cuts a long value in a problem", () => {
    const [problem = ""] = problemsOf({ env: { BITS: "9".repeat(10_000) } });
    expect(problem.length).toBeLessThan(300);
  });

  it("asks for help before it looks at anything else", () => {
    for (const word of ["--help", "-h"]) {
      expect(parseSettings(spec, { env: { BITS: "lots" }, args: ["--nonsense", "x", word] })).toEqual({ kind: "help" });
    }
  });

  it("refuses a spec that uses a flag twice", () => {
    const one = setting.text({ flag: "name", description: "a name" });
    expect(() => parseSettings({ a: one, b: one }, { env: {}, args: [] })).toThrow(
      expect.objectContaining({ code: "argument-invalid" }),
    );
  });

  it("never shows the value of a secret, wherever it is put and however it is wrong", () => {
    const secret = "hunter2";
    const options = { env: "S", flag: "s", description: "a secret", secret: true } as const;
    const fail = (value: unknown): never => {
      throw new Error(`bad ${JSON.stringify(value)}`);
    };
    const kinds: Record<string, SettingsSpec> = {
      integer: { one: setting.integer(options) },
      bool: { one: setting.bool(options) },
      duration: { one: setting.duration(options) },
      choice: { one: setting.choice({ ...options, choices: ["a"] }) },
      hostPort: { one: setting.hostPort(options) },
      json: { one: setting.json(options) },
      readJson: { one: setting.json({ ...options, read: fail }) },
      parsed: { one: setting.parsed({ ...options, read: fail }) },
    };
    for (const [kind, secretSpec] of Object.entries(kinds)) {
      const value = kind === "readJson" ? JSON.stringify(secret) : secret;
      for (const input of [
        { env: { S: value }, args: [] },
        { env: {}, args: [`--s=${value}`] },
      ]) {
        const result = parseSettings(secretSpec, input);
        expect(result, kind).toMatchObject({ kind: "invalid" });
        expect(JSON.stringify(result), kind).not.toContain(secret);
      }
    }
    expect(JSON.stringify(problemsOf({ args: ["--pasword", secret] }))).not.toContain(secret);
    expect(JSON.stringify(problemsOf({ args: [`--pasword=${secret}`] }))).not.toContain(secret);
    expect(problemsOf({ env: { PIN: "7" } })).toEqual([
      "PIN (flag --pin): the value (not shown) is below the minimum 1000",
    ]);
  });

  it("never throws and never accepts a value outside its bounds, whatever it is given", () => {
    const words = fc.oneof(
      fc.string(),
      fc.constantFrom("--bits", "--bits=", "--names", "--pkcs8-key", "--", "-1", "2048"),
    );
    const environment = fc.dictionary(fc.constantFrom("BITS", "SECRET_TTL", "LISTEN", "JWT_RULE"), fc.string());
    fc.assert(
      fc.property(environment, fc.array(words), (env, args) => {
        const result = parseSettings(spec, { env, args });
        if (result.kind !== "settings") return;
        expect(result.values.bits).toBeGreaterThanOrEqual(2048);
        expect(result.values.bits).toBeLessThanOrEqual(4096);
        expect(result.values.ttl).toBeLessThanOrEqual(86_400_000);
      }),
    );
  });
});
