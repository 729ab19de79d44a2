import { describe, expect, it } from "vitest";
import { failoverFixture, sealed } from "../testing/failover-fixture.ts";

describe("callers of a failover group", () => {
  it("never bring about a switch alone: one may have found what makes the primary fail", async () => {
    const { group, issue, rounds, primary, stop } = await failoverFixture();
    for (let round = 0; round < 4; round++) {
      primary.failWith(sealed);
      for (let call = 0; call < 5; call++) await expect(issue()).rejects.toBe(sealed);
      primary.failWith(undefined);
      await rounds(1);
    }
    expect(group.active()).toBe("primary");
    await stop();
  });
});
