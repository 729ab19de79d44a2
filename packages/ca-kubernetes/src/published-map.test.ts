import { parseTrustBundle } from "@signet/x509";
import { testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { rootMap } from "./published-map.ts";

const root = await testRoot();
const bundle = parseTrustBundle(root.pem);
const map = rootMap("istio-ca-root-cert", () => bundle);

describe("the map of a trust bundle", () => {
  it("is right with the same certificates, whatever is said of them and however often", () => {
    expect(map.holds(`# our root\n${root.pem}${root.pem}`)).toBe(true);
  });

  it("is not right with far more text than there is to say, whatever that holds", () => {
    const padding = `${"#".repeat(99)}\n`.repeat(1_000);
    expect(map.holds(`${padding}${root.pem}`)).toBe(false);
    expect(map.holds(root.pem.repeat(200))).toBe(false);
  });
});
