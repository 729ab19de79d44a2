import { describe, expect, it } from "vitest";
import { selectKeys } from "./select-keys.ts";
import { testSigningKey } from "./testing.ts";
import { createVerificationKey, type VerificationKey } from "./verification-key.ts";

const ec = (kid?: string): VerificationKey =>
  createVerificationKey({ key: testSigningKey("ES256", "select-keys"), ...(kid === undefined ? {} : { kid }) });
const ed = (kid?: string): VerificationKey =>
  createVerificationKey({ key: testSigningKey("EdDSA", "select-keys"), ...(kid === undefined ? {} : { kid }) });

describe("selectKeys", () => {
  it.each<[string, readonly VerificationKey[], { kid?: string; alg: string }, string]>([
    ["the key with the id", [ec("a"), ec("b")], { kid: "b", alg: "ES256" }, "b"],
    ["all keys with the id", [ec("a"), ec("a"), ec("b")], { kid: "a", alg: "ES256" }, "a,a"],
    ["all that fit without an id", [ec("a"), ed("b"), ec()], { alg: "ES256" }, "a,-"],
    ["all that fit where no key has an id", [ec(), ed(), ec()], { kid: "x", alg: "ES256" }, "-,-"],
    ["nothing under an unknown id", [ec("a"), ec()], { kid: "x", alg: "ES256" }, "key-not-found"],
    ["nothing under an empty id that no key has", [ec("a")], { kid: "", alg: "ES256" }, "key-not-found"],
    ["nothing of an empty set", [], { kid: "x", alg: "ES256" }, "key-not-found"],
    ["nothing that does not fit", [ec("a")], { kid: "a", alg: "EdDSA" }, "key-unsuitable"],
    ["nothing that does not fit, without ids", [ec()], { kid: "a", alg: "EdDSA" }, "key-unsuitable"],
    ["nothing of an unknown algorithm", [ec("a")], { alg: "none" }, "key-unsuitable"],
  ])("finds %s", (_, keys, header, expected) => {
    const lookup = selectKeys(keys, header);
    expect(lookup.kind === "found" ? lookup.keys.map(({ kid = "-" }) => kid).join() : lookup.code).toBe(expected);
  });
});
