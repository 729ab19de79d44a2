import { generateKeyPairSync } from "node:crypto";
import { testSigningKey } from "@signet/jwt/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TokenIssuerError } from "./token-issuer-error.ts";
import {
  createKeys,
  defaultRotationMs,
  formatKeys,
  generateRsaKey,
  type IssuerKeys,
  maxTokenTtlMs,
  nextKeyDueAt,
  parseKeys,
  publishLeadOf,
  rotateKeys,
  signingKeyAt,
} from "./token-issuer-keys.ts";

const minute = 60_000;
const hour = 60 * minute;
const start = new Date("2026-01-01T00:00:00Z");
const generateKey = async (): Promise<ReturnType<typeof testSigningKey>> => testSigningKey("RS256", "token-issuer");
const options = { rotationMs: 24 * hour, generateKey };

function at(ms: number): Date {
  return new Date(start.getTime() + ms);
}

function codeOf(text: string): string | undefined {
  try {
    parseKeys(text);
    return undefined;
  } catch (error) {
    if (error instanceof TokenIssuerError) return error.code;
    throw error;
  }
}

describe("rotateKeys", () => {
  it("publishes the next key a quarter of an hour before it signs", async () => {
    const first = await createKeys(start, generateKey);
    expect(await rotateKeys(first, at(24 * hour - 15 * minute - 1), options)).toBe(first);
    const both = await rotateKeys(first, at(24 * hour - 15 * minute), options);
    expect(both.map((key) => key.signsFrom)).toEqual([start, at(24 * hour)]);
    expect(signingKeyAt(both, at(24 * hour - 1))).toBe(both[0]);
    expect(signingKeyAt(both, at(24 * hour))).toBe(both[1]);
    expect(await rotateKeys(both, at(24 * hour), options)).toBe(both);
  });

  it("lets the new key wait out its lead after a long stop", async () => {
    const first = await createKeys(start, generateKey);
    const later = await rotateKeys(first, at(1000 * hour), options);
    expect(later[1]?.signsFrom).toEqual(at(1000 * hour + 15 * minute));
    expect(signingKeyAt(later, at(1000 * hour))).toBe(later[0]);
  });

  it("keeps a key that has been succeeded until the last token it signed has expired", async () => {
    let keys: IssuerKeys = await createKeys(start, generateKey);
    const [{ kid }] = keys;
    const has = (): boolean => keys.some((key) => key.kid === kid);
    for (let hours = 0; hours < 24 * 8; hours++) {
      keys = await rotateKeys(keys, at(hours * hour), options);
      expect(has()).toBe(true);
    }
    for (let hours = 24 * 8; hours <= 24 * 9 + 1; hours++) keys = await rotateKeys(keys, at(hours * hour), options);
    expect(has()).toBe(false);
    expect(keys.length).toBeLessThan(11);
  });

  it("still signs when the clock is set back before the first key", async () => {
    const keys = await createKeys(start, generateKey);
    expect(signingKeyAt(keys, at(-hour))).toBe(keys[0]);
  });

  it("never signs with a key that was not published for its lead, nor drops one before its tokens expire", async () => {
    const rotation = fc.integer({ min: minute, max: 30 * 24 * hour });
    const steps = fc.array(fc.integer({ min: 1, max: 10 * 24 * hour }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(rotation, steps, async (rotationMs, waits) => {
        let keys: IssuerKeys = await createKeys(start, generateKey);
        const publishedAt = new Map([[keys[0].kid, Number.NEGATIVE_INFINITY]]);
        const lastSignedAt = new Map<string, number>();
        let now = 0;
        for (const wait of waits) {
          now += wait;
          const signer = signingKeyAt(keys, at(now));
          expect(now - (publishedAt.get(signer.kid) ?? now)).toBeGreaterThanOrEqual(publishLeadOf(rotationMs));
          lastSignedAt.set(signer.kid, now);
          keys = await rotateKeys(keys, at(now), { rotationMs, generateKey });
          for (const { kid } of keys) if (!publishedAt.has(kid)) publishedAt.set(kid, now);
          for (const [kid, signedAt] of lastSignedAt) {
            if (now - signedAt <= maxTokenTtlMs) expect(keys.map((key) => key.kid)).toContain(kid);
          }
          expect(nextKeyDueAt(keys, rotationMs) > at(now)).toBe(true);
        }
      }),
    );
  });
});

describe("the key file", () => {
  it("gives back what was written, the oldest first", async () => {
    const first = await createKeys(start, generateKey);
    const keys = await rotateKeys(first, at(24 * hour), options);
    const [one, two] = JSON.parse(formatKeys(keys)).keys;
    const read = parseKeys(JSON.stringify({ version: 1, keys: [two, one] }));
    expect(read.map(({ kid, signsFrom }) => ({ kid, signsFrom }))).toEqual(
      keys.map(({ kid, signsFrom }) => ({ kid, signsFrom })),
    );
    expect(read.every((key, index) => keys[index]?.privateKey.equals(key.privateKey))).toBe(true);
  });

  const ecPem = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
  const entry = { kid: "k", signsFrom: start.toISOString(), privateKey: ecPem };
  it.each([
    ["nothing", ""],
    ["half a file", '{"version":1,"keys":['],
    ["an array", "[]"],
    ["null", "null"],
    ["another version", '{"version":2,"keys":[]}'],
    ["no keys", '{"version":1}'],
    ["an empty list of keys", '{"version":1,"keys":[]}'],
    ["a key that is no object", '{"version":1,"keys":[1]}'],
    ["a key without kid", JSON.stringify({ version: 1, keys: [{ ...entry, kid: undefined }] })],
    ["a key without signsFrom", JSON.stringify({ version: 1, keys: [{ ...entry, signsFrom: undefined }] })],
    ["a key with a date that is none", JSON.stringify({ version: 1, keys: [{ ...entry, signsFrom: "soon" }] })],
    ["a key without privateKey", JSON.stringify({ version: 1, keys: [{ ...entry, privateKey: undefined }] })],
    ["a broken PEM", JSON.stringify({ version: 1, keys: [{ ...entry, privateKey: "-----BEGIN" }] })],
    ["an EC key", JSON.stringify({ version: 1, keys: [entry] })],
  ])("is damaged when it holds %s", (_, text) => {
    expect(codeOf(text)).toBe("state-damaged");
  });
});

describe("generateRsaKey", () => {
  it("makes what Kubernetes signs with", async () => {
    const key = await generateRsaKey();
    expect([key.type, key.asymmetricKeyType, key.asymmetricKeyDetails?.modulusLength]).toEqual([
      "private",
      "rsa",
      2048,
    ]);
    expect(defaultRotationMs).toBe(24 * hour);
  });
});
