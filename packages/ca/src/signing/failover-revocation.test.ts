import { createSource } from "@signet/runtime";
import { describe, expect, it } from "vitest";
import { failoverFixture } from "../testing/failover-fixture.ts";
import { fakeSigningCa } from "../testing.ts";

describe("revocation lists of a failover group", () => {
  it("are a warning while only one member has any, since peers then refuse what the other signs", async () => {
    const ofPrimary = createSource("primary's lists");
    const ofStandby = createSource<string>();
    const primary = await fakeSigningCa({ name: "vault", keyIsLocal: false });
    const standby = await fakeSigningCa({ name: "plugged-in" });
    const { group, rounds, stop } = await failoverFixture({
      primary: Object.assign(primary, { revocationLists: ofPrimary }),
      standby: Object.assign(standby, { revocationLists: ofStandby }),
    });
    const warning = { state: "degraded", reason: "only one of primary and standby has revocation lists" };
    expect(group.health.current()).toEqual(warning);
    ofStandby.publish("standby's lists");
    await rounds(1);
    expect(group.health.current()).toEqual({ state: "good" });
    ofPrimary.publish("");
    await rounds(1);
    expect(group.health.current()).toEqual(warning);
    await stop();
  });
});
