import { createSource } from "@signet/runtime";
import type { TrustBundle } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import { type FailoverFixture, failoverFixture } from "../testing/failover-fixture.ts";
import { fakeSigningCa } from "../testing.ts";

let running: FailoverFixture | undefined;

/** A group that has just started, and its primary, of which nothing is known yet. */
async function setUp() {
  const known = await fakeSigningCa({ name: "vault", keyIsLocal: false });
  const bundle = known.trustBundle.current();
  if (bundle === undefined) throw new Error("no trust bundle");
  const primary = { ...known, trustBundle: createSource<TrustBundle>() };
  const fixture = await failoverFixture({ primary, justStarted: true });
  running = fixture;
  return { ...fixture, primary, bundle };
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describe("a failover group that starts", () => {
  it("is not turned to the standby by whoever calls before the primary has been read", async () => {
    const { group, issue, signerOf, clock, primary, bundle } = await setUp();
    await expect(issue()).rejects.toMatchObject({ code: "ca-not-ready" });
    primary.trustBundle.publish(bundle);
    expect(signerOf(await issue())).toBe("primary");
    await clock.advance(60_000);
    expect(group.active()).toBe("primary");
  });

  it("has the standby sign a few seconds later if nothing is known of the primary by then", async () => {
    const { issue, signerOf, clock } = await setUp();
    await clock.advance(4_000);
    expect(signerOf(await issue())).toBe("standby");
  });
});
