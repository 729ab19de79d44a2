import { createSource } from "@signet/runtime";
import { parseTrustBundle, type TrustBundle } from "@signet/x509";
import { testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { unionRevocationLists } from "./union-revocation-lists.ts";
import { unionTrustBundle } from "./union-trust-bundle.ts";

const [a, b, c] = [(await testRoot()).pem, (await testRoot()).pem, (await testRoot()).pem];

function union(first: string | undefined, second: string | undefined): TrustBundle | undefined {
  const sourceOf = (pem: string | undefined) =>
    createSource<TrustBundle>(pem === undefined ? undefined : parseTrustBundle(pem));
  return unionTrustBundle(sourceOf(first), sourceOf(second)).current();
}

describe("unionTrustBundle", () => {
  it.each([
    { name: "each root once, the first's before the second's", first: a + b, second: c + b, pem: a + b + c },
    { name: "the first where it has all", first: `# ours\n${a}${b}`, second: b, pem: `# ours\n${a}${b}` },
    { name: "a text that does not end in a line", first: a.trimEnd(), second: b, pem: a + b },
    { name: "no comment of the second", first: a, second: `# theirs\n${b}`, pem: a + b },
    { name: "the one that is known", first: undefined, second: `# theirs\n${b}`, pem: `# theirs\n${b}` },
    { name: "the other one that is known", first: a, second: undefined, pem: a },
  ])("holds $name", ({ first, second, pem }) => {
    expect(union(first, second)?.pem).toBe(pem);
    expect(union(first, second)?.authorities).toEqual(parseTrustBundle(pem).authorities);
  });

  it("has no value while neither is known", () => {
    expect(union(undefined, undefined)).toBeUndefined();
  });

  it("is the same object as long as both are, and follows either", async () => {
    const [first, second] = [createSource<TrustBundle>(), createSource(parseTrustBundle(b))];
    const source = unionTrustBundle(first, second);
    expect(source.current()).toBe(second.current());
    const seen: string[] = [];
    const controller = new AbortController();
    const following = (async () => {
      for await (const { pem } of source.changes(controller.signal)) seen.push(pem);
    })();
    await settle();
    first.publish(parseTrustBundle(a));
    await settle();
    expect(source.current()).toBe(source.current());
    second.publish(parseTrustBundle(c));
    await settle();
    second.publish(parseTrustBundle(a));
    await settle();
    // Nothing changes for those who read the union.
    second.publish(parseTrustBundle(a));
    await settle();
    controller.abort();
    await following;
    expect(seen).toEqual([b, a + b, a + c, a]);
  });
});

describe("unionRevocationLists", () => {
  it.each([
    { first: undefined, second: undefined, pem: undefined },
    { first: "A\n", second: undefined, pem: "A\n" },
    { first: "A\n", second: "B\n", pem: "A\n\nB\n" },
    { first: "", second: "B\n", pem: "B\n" },
    { first: "", second: "", pem: "" },
  ])("of $first and $second are $pem", ({ first, second, pem }) => {
    expect(unionRevocationLists(createSource(first), createSource(second)).current()).toBe(pem);
  });

  it("have no value where neither CA publishes any", () => {
    expect(unionRevocationLists(undefined, undefined).current()).toBeUndefined();
  });
});

function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
