import { randomBytes } from "node:crypto";
import type { JwtRule } from "@signet/documents";
import type { Random } from "../support/random.ts";
import { audiences, issuers, type PublishedKey, type RuleSet } from "./rule-sets.ts";
import type { SigningKey } from "./signing-keys.ts";

/** A token and what is unusual about it. */
export type MadeToken = {
  readonly text: string;
  readonly labels: readonly string[];
  /** The rule that it was made for. */
  readonly rule: JwtRule;
  /** What it is really signed with, and as what. */
  readonly key: SigningKey;
  readonly alg: string;
};

/** What tokens are made with. */
export type TokenForge = {
  readonly random: Random;
  readonly signingKeys: readonly SigningKey[];
  readonly nowSeconds: number;
};

/** Makes a token for one of the rules: as it should be in half of all cases, otherwise with one or two defects. */
export function makeToken(forge: TokenForge, { rules, keys }: RuleSet): MadeToken {
  const { random } = forge;
  const rule = random.pick(rules);
  const published = random.pick(keys.get(rule) ?? []);
  const draft = createDraft(forge, rule, published);
  const defects = random.weighted([
    [5, () => 0],
    [5, () => 1],
    [1, () => 2],
  ]);
  for (let count = 0; count < defects; count++) spoil(forge, draft);
  return { text: assemble(random, draft), labels: draft.labels, rule, key: draft.key, alg: draft.alg };
}

/** A token in the making; what is raw overrules what is structured. */
type Draft = {
  readonly labels: string[];
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  key: SigningKey;
  /** Algorithm that the signature is made with; that of the header unless it was spoiled. */
  alg: string;
  headerText?: string | Buffer;
  payloadText?: string | Buffer;
  encode: (octets: Buffer) => string;
  spoilParts: (parts: readonly [string, string, string]) => string;
  spoilSignature: (signature: Buffer) => Buffer;
};

function createDraft(
  { random, nowSeconds }: TokenForge,
  rule: JwtRule,
  { key, keyId, onlyAlgorithm }: PublishedKey,
): Draft {
  const alg = onlyAlgorithm ?? random.pick(key.algorithms);
  return {
    labels: [],
    header: {
      alg,
      ...(keyId !== undefined && random.chance(0.8) ? { kid: keyId } : {}),
      ...(random.chance(0.5) ? { typ: "JWT" } : {}),
    },
    claims: {
      iss: rule.issuer,
      ...(random.chance(0.9) ? { sub: random.pick(["alice", "bob/2", "émile", ""]) } : {}),
      ...(rule.audiences.length > 0 || random.chance(0.3) ? { aud: audienceFor(random, rule) } : {}),
      ...(random.chance(0.7) ? { exp: nowSeconds + 3_600 } : {}),
      ...(random.chance(0.2) ? { nbf: nowSeconds - 10, iat: nowSeconds + 100 } : {}),
      ...moreClaims(random),
    },
    key,
    alg,
    encode: (octets) => octets.toString("base64url"),
    spoilParts: (parts) => parts.join("."),
    spoilSignature: (signature) => signature,
  };
}

function audienceFor(random: Random, rule: JwtRule): unknown {
  const good = rule.audiences.length === 0 ? "api" : random.pick(rule.audiences);
  return random.weighted<unknown>([
    [3, () => good],
    [2, () => [random.pick(audiences), good]],
    [1, () => [good]],
    [1, () => `https://${good}/`],
  ]);
}

const claimValues: readonly unknown[] = [
  0,
  -0,
  1,
  -1,
  1.5,
  -2.25,
  1e21,
  1e300,
  5e-324,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  2 ** 64 - 2 ** 11,
  0.1,
  1e-7,
  123456789.123456,
  true,
  false,
  null,
  "",
  " ",
  "two words",
  "  a  b ",
  "tab\there",
  'quote"back\\slash/',
  "ünïcödé",
  "😀",
  "a,b",
  "=?x?=",
  "line\nbreak",
  "nul\u0000",
  "\u2028",
  "<b>&'",
  [],
  {},
  ["a", "b c"],
  ["a", 1, null, true, { x: [] }],
  { inner: "v", deep: { deeper: 1 } },
  { inner: { deep: "x" } },
  { "": "empty", " ": 1 },
  [[[]]],
  { "<": ">", é: "\u00a0" },
  "x".repeat(300),
];

function moreClaims(random: Random): Record<string, unknown> {
  const names = [
    "scope",
    "permission",
    "n",
    "big",
    "flag",
    "nested",
    "list",
    "nothing",
    "text",
    "a.b",
    "https://example.com/claim",
    "float",
    "negative",
    "",
    "constructor",
    "toString",
  ];
  return Object.fromEntries(random.some(names, 0.25).map((name) => [name, random.pick(claimValues)]));
}

type Defect = (forge: TokenForge, draft: Draft) => void;

function spoil(forge: TokenForge, draft: Draft): void {
  forge.random.pick(defects)(forge, draft);
}

function labelled(label: string, spoilIt: Defect): Defect {
  return (forge, draft) => {
    draft.labels.push(label);
    spoilIt(forge, draft);
  };
}

/** One entry for each row of a kind of defect, so that each comes about as often as any other. */
const defects: readonly Defect[] = [
  labelled("issuer", ({ random }, { claims }) => {
    claims["iss"] = random.pick([
      ...issuers,
      "https://A.example",
      "https://a.example ",
      "",
      7,
      null,
      ["https://a.example"],
      {},
    ]);
  }),
  labelled("issuer-absent", (_, { claims }) => {
    delete claims["iss"];
  }),
  labelled("subject", ({ random }, { claims }) => {
    claims["sub"] = random.pick<unknown>([7, null, ["alice"], {}, true, "a/b/c", "\u0000"]);
  }),
  labelled("token-id", ({ random }, { claims }) => {
    claims["jti"] = random.pick<unknown>([7, null, "id", [], {}]);
  }),
  labelled("audience", ({ random }, { claims }) => {
    claims["aud"] = random.pick<unknown>([
      7,
      null,
      {},
      [],
      [7],
      ["api", 7],
      [null],
      true,
      "",
      [""],
      "API",
      "api ",
      ["other"],
      "https://api.example//",
      "https://http://api.example",
      "http",
      "https://",
      "http:///",
      "//",
      "HTTPS://api.example",
    ]);
  }),
  labelled("audience-absent", (_, { claims }) => {
    delete claims["aud"];
  }),
  labelled("expired", ({ random, nowSeconds }, { claims }) => {
    claims["exp"] = nowSeconds - random.pick([1, 30, 59, 60, 61, 62, 3_600, nowSeconds - 1, nowSeconds]);
  }),
  labelled("not-yet", ({ random, nowSeconds }, { claims }) => {
    claims["nbf"] = nowSeconds + random.pick([1, 30, 58, 59, 60, 61, 62, 3_600]);
  }),
  labelled("instant", ({ random, nowSeconds }, draft) => {
    const name = random.pick(["exp", "nbf", "iat"]);
    const values = [
      "null",
      '"1"',
      "true",
      "[]",
      "{}",
      "-1",
      "-0",
      "0",
      "0.5",
      "-0.5",
      "1e3",
      "1e20",
      "1e400",
      "18446744073709551615",
      "18446744073709551616",
      "18446744073709550000",
      "9223372036854775807",
      "9223372036854775808",
      "4294967296",
      "1E10",
      `${nowSeconds}.999`,
      `${nowSeconds + 100}.0`,
      "1e-5",
      "99999999999999999999999",
      "-9223372036854775809",
      "1.7976931348623157e308",
      "-1e-400",
    ];
    delete draft.claims[name];
    draft.payloadText = insertMember(JSON.stringify(draft.claims), `"${name}":${random.pick(values)}`);
  }),
  labelled("kid", ({ random }, { header }) => {
    header["kid"] = random.pick<unknown>([
      "k",
      "k2",
      "unknown",
      "",
      7,
      null,
      ["k"],
      "K",
      "../../dev/null",
      "k' OR 1=1",
      "k\u0000",
    ]);
  }),
  labelled("kid-absent", (_, { header }) => {
    delete header["kid"];
  }),
  labelled("alg-name", ({ random }, { header }) => {
    header["alg"] = random.pick<unknown>([
      "none",
      "None",
      "NONE",
      "",
      "rs256",
      "RS1",
      "HS1",
      "Ed25519",
      "ES256K",
      "ML-DSA-44",
      7,
      null,
      ["RS256"],
      "RS256 ",
      "A128KW",
    ]);
  }),
  labelled("alg-absent", (_, { header }) => {
    delete header["alg"];
  }),
  labelled("alg-other", ({ random }, draft) => {
    const all = [
      "RS256",
      "RS384",
      "RS512",
      "PS256",
      "PS384",
      "PS512",
      "ES256",
      "ES384",
      "ES512",
      "EdDSA",
      "HS256",
      "HS384",
      "HS512",
    ];
    draft.alg = random.pick(all);
    draft.header["alg"] = draft.alg;
  }),
  labelled("alg-not-of-signature", ({ random }, draft) => {
    draft.alg = random.pick(["RS256", "RS512", "PS256", "PS512", "ES256", "ES512", "HS256", "HS512"]);
  }),
  labelled("key-other", ({ random, signingKeys }, draft) => {
    const family = signingKeys.filter((key) => key.family === draft.key.family && key !== draft.key);
    draft.key = random.pick(family.length === 0 ? signingKeys : family);
  }),
  labelled("public-key-as-secret", (_, draft) => {
    const { jwk } = draft.key;
    draft.header["alg"] = "HS256";
    draft.spoilSignature = () => Buffer.from(JSON.stringify(jwk));
  }),
  labelled("header-more", ({ random }, { header }) => {
    Object.assign(
      header,
      random.pick<object>([
        { crit: ["exp"] },
        { crit: [] },
        { jku: "http://127.0.0.1:1/jwks" },
        { jwk: { kty: "oct", k: "AAAA" } },
        { x5u: "http://127.0.0.1:1" },
        { x5c: ["AAAA"] },
        { typ: 7 },
        { cty: "JWT" },
        { b64: false, crit: ["b64"] },
        { zip: "DEF" },
        { "": null, "😀": [] },
        { enc: "A256GCM" },
      ]),
    );
  }),
  labelled("signature-changed", ({ random }, draft) => {
    draft.spoilSignature = (signature) => {
      const copy = Buffer.from(signature);
      const at = random.below(copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      return copy;
    };
  }),
  labelled("signature-length", ({ random }, draft) => {
    const zero = Buffer.alloc(1);
    draft.spoilSignature = random.pick<Draft["spoilSignature"]>([
      (signature) => signature.subarray(1),
      (signature) => signature.subarray(0, -1),
      (signature) => Buffer.concat([signature, zero]),
      (signature) => Buffer.concat([zero, signature]),
      (signature) =>
        Buffer.concat([
          zero,
          signature.subarray(0, signature.length / 2),
          zero,
          signature.subarray(signature.length / 2),
        ]),
      (signature) => signature.subarray(0, signature.length / 2),
      (signature) => Buffer.concat([signature, signature]),
      () => Buffer.alloc(0),
      () => zero,
      () => Buffer.alloc(64),
      () => randomBytes(64),
      () => randomBytes(600),
    ]);
  }),
  labelled("payload-replaced", ({ random }, draft) => {
    draft.spoilParts = ([header, , signature]) => {
      const forged = Buffer.from(JSON.stringify({ ...draft.claims, sub: random.pick(["admin", "root"]) }));
      return `${header}.${draft.encode(forged)}.${signature}`;
    };
  }),
  labelled("parts", ({ random }, draft) => {
    draft.spoilParts = ([header, payload, signature]) =>
      random.pick([
        `.${header}.${payload}.${signature}`,
        `${header}..${payload}.${signature}`,
        `${header}.${payload}.${signature}.`,
        `${header}.${payload}.${signature}...`,
        `${header}.${payload}`,
        `${header}.${payload}.`,
        `${header}`,
        `${header}.${payload}.${signature}.x`,
        `.${payload}.${signature}`,
        `${header}.${payload}..${signature}`,
        "..",
        ".",
        "a.b.c",
        `${header}.${signature}.${payload}`,
        `${header}.${payload}.${signature} `,
        `${header}. ${payload}.${signature}`,
        "opaque",
        `${header}.${payload}.${signature}.${payload}.${signature}`,
      ]);
  }),
  labelled("base64url", ({ random }, draft) => {
    draft.encode = random.pick<Draft["encode"]>([
      (octets) => octets.toString("base64"),
      (octets) => octets.toString("base64").replaceAll("+", "-").replaceAll("/", "_"),
      (octets) => `${octets.toString("base64url")}=`,
      (octets) => `${octets.toString("base64url")}==`,
      (octets) => insertAt(octets.toString("base64url"), random, " "),
      (octets) => insertAt(octets.toString("base64url"), random, "\t"),
      (octets) =>
        insertAt(octets.toString("base64url"), random, random.pick(["=", "*", "%", "~", "\u00e9", ",", "+", "/"])),
      (octets) => withStrayBits(octets.toString("base64url")),
      (octets) => `${octets.toString("base64url")}A`,
      (octets) => octets.toString("base64url").slice(0, -1),
      (octets) => `=${octets.toString("base64url")}`,
    ]);
  }),
  labelled("payload-json-strict", ({ random }, draft) => {
    draft.payloadText = unusualJson(random, JSON.stringify(draft.claims));
  }),
  labelled("header-json-strict", ({ random }, draft) => {
    draft.headerText = unusualJson(random, JSON.stringify(draft.header));
  }),
  labelled("payload-json-loose", ({ random }, draft) => {
    draft.payloadText = looseJson(random, JSON.stringify(draft.claims));
  }),
  labelled("header-json-loose", ({ random }, draft) => {
    draft.headerText = looseJson(random, JSON.stringify(draft.header));
  }),
  labelled("payload-not-object", ({ random }, draft) => {
    draft.payloadText = random.pick(["null", "[]", "7", '"text"', "true", "", " ", "{", "}", "[{}]", "nul"]);
  }),
  labelled("header-not-object", ({ random }, draft) => {
    draft.headerText = random.pick(["null", "[]", "7", '"text"', "true", "", " ", "{", "}", "[{}]", "nul"]);
  }),
  labelled("payload-octets", ({ random }, draft) => {
    draft.payloadText = brokenOctets(random, JSON.stringify({ ...draft.claims, mark: "@" }));
  }),
  labelled("depth", ({ random }, draft) => {
    const depth = random.pick([10, 50, 97, 98, 99, 100, 101, 150]);
    const deep = random.chance(0.5)
      ? `${"[".repeat(depth)}${"]".repeat(depth)}`
      : `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    draft.payloadText = insertMember(JSON.stringify(draft.claims), `"deep":${deep}`);
  }),
  labelled("large", ({ random }, draft) => {
    draft.claims["large"] = "x".repeat(random.pick([1_000, 5_000, 12_000]));
  }),
];

function insertMember(json: string, member: string): string {
  return json === "{}" ? `{${member}}` : `${json.slice(0, -1)},${member}}`;
}

function insertAt(text: string, random: Random, what: string): string {
  const at = random.below(text.length + 1);
  return text.slice(0, at) + what + text.slice(at);
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The same octets with bits set that no octet uses. */
function withStrayBits(text: string): string {
  return text.length % 4 === 0 ? text : text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1) ?? "A") | 1];
}

/** JSON that RFC 8259 allows, and that readers may differ on. */
function unusualJson(random: Random, json: string): string {
  return random.weighted([
    [1, () => ` \n\t\r${json} \n`],
    [1, () => JSON.stringify(JSON.parse(json), null, "\t ")],
    [1, () => json.replaceAll('"iss"', '"\\u0069ss"').replaceAll('"alg"', '"\\u0061lg"')],
    [1, () => json.replaceAll("/", "\\/")],
    [1, () => insertMember(json, '"sub":"second"')],
    [1, () => insertMember(json, '"x":1,"x":2')],
    [1, () => insertMember(json, '"x":{"y":1,"y":1}')],
    [1, () => insertMember(json, '"alg":"HS256"')],
    [1, () => insertMember(json, '"__proto__":{"iss":"https://a.example"}')],
    [1, () => insertMember(json, '"x":"\\ud83d"')],
    [1, () => insertMember(json, '"\\ud83d":1')],
    [1, () => insertMember(json, '"x":"\\ude00\\ud83d"')],
    [1, () => insertMember(json, '"x":"\\u0000"')],
    [1, () => insertMember(json, '"x\\u0000y":1')],
    [
      1,
      () =>
        insertMember(
          json,
          `"x":${random.pick(["1e400", "-1e400", "1E+2", "1.0000000000000000000001", "123456789012345678901234567890", "0.30000000000000004"])}`,
        ),
    ],
    [1, () => insertMember(json, '"":""')],
  ]);
}

/** What is not JSON, though some readers take it. */
function looseJson(random: Random, json: string): string {
  return random.weighted([
    [1, () => json.replaceAll('"', "'")],
    [1, () => json.replace('"alg"', "alg").replace('"iss"', "iss")],
    [1, () => json.replace(/\}$/, ",}")],
    [1, () => insertMember(json, '"x":[1,]')],
    [1, () => insertMember(json, '"x":"raw\u0001control"')],
    [1, () => insertMember(json, '"x":"raw\nbreak"')],
    [1, () => `${json}x`],
    [1, () => `${json}{}`],
    [1, () => `${json}\u0000`],
    [1, () => `\ufeff${json}`],
    [1, () => `/* c */${json}`],
    [1, () => `${json}// c`],
    [
      1,
      () =>
        insertMember(
          json,
          `"x":${random.pick(["NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10", "1e", "-", "undefined", "True", "nan"])}`,
        ),
    ],
    [1, () => insertMember(json, '"x":"\\x41"')],
    [1, () => insertMember(json, '"x":"\\u12"')],
    [1, () => insertMember(json, '"x":"\\q"')],
    [1, () => json.slice(0, -1)],
    [1, () => json.replace(":", "=")],
    [1, () => insertMember(json, "1:2")],
    [1, () => insertMember(json, '"x" 1')],
    [1, () => json.replace(/^\{/, "{,")],
    [1, () => insertMember(json, '"x":1 "y":2')],
  ]);
}

function brokenOctets(random: Random, json: string): Buffer {
  const octets = Buffer.from(json);
  const at = octets.indexOf("@");
  const broken = random.pick([
    [0xff],
    [0xc0, 0xaf],
    [0xed, 0xa0, 0x80],
    [0xe2, 0x82],
    [0xf5, 0x80, 0x80, 0x80],
    [0x80],
    [0xf0, 0x9f, 0x98, 0x80],
    [0xef, 0xbf, 0xbf],
  ]);
  return Buffer.concat([octets.subarray(0, at), Buffer.from(broken), octets.subarray(at + 1)]);
}

function assemble(random: Random, draft: Draft): string {
  const header = draft.encode(Buffer.from(draft.headerText ?? JSON.stringify(draft.header)));
  const payload = draft.encode(Buffer.from(draft.payloadText ?? JSON.stringify(draft.claims)));
  const made = draft.key.sign(draft.alg, Buffer.from(`${header}.${payload}`, "latin1"));
  const signature = draft.spoilSignature(made);
  const encoded = random.chance(0.5) ? signature.toString("base64url") : draft.encode(signature);
  return draft.spoilParts([header, payload, encoded]);
}
