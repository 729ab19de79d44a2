import { describe, expect, test, vi } from "vitest";
import { rule, secret, secretJwk, tokenOfA, verdict } from "./test-tokens.ts";

const { compared } = vi.hoisted(() => ({ compared: [] as (readonly [number, number])[] }));
vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof import("node:crypto")>();
  const timingSafeEqual = (one: Buffer, other: Buffer): boolean => {
    compared.push([one.length, other.length]);
    return crypto.timingSafeEqual(one, other);
  };
  return { ...crypto, timingSafeEqual };
});

describe("an HMAC is compared in constant time", () => {
  const flip = (at: number) => (signature: Buffer) =>
    Buffer.from(signature.map((octet, n) => (n === at ? octet ^ 1 : octet)));

  test.each([
    ["good", undefined, "a/alice"],
    ["wrong in its first octet", flip(0), "signature-invalid"],
    ["wrong in its last octet", flip(31), "signature-invalid"],
  ])("%s: as a whole, wherever it differs", async (_name, signature, expected) => {
    compared.length = 0;
    const options = { alg: "HS256", hmac: secret, ...(signature === undefined ? {} : { signature }) };
    expect(await verdict([rule({ keySet: [secretJwk] })], { bearer: tokenOfA({}, options) })).toBe(expected);
    expect(compared).toEqual([[32, 32]]);
  });

  test("one of another length is refused by its length alone", async () => {
    compared.length = 0;
    const options = { alg: "HS256", hmac: secret, signature: (signature: Buffer) => signature.subarray(1) };
    expect(await verdict([rule({ keySet: [secretJwk] })], { bearer: tokenOfA({}, options) })).toBe("signature-invalid");
    expect(compared).toEqual([]);
  });
});
