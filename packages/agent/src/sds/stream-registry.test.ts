import { describe, expect, it } from "vitest";
import { createStreamRegistry } from "./stream-registry.ts";

describe("the registry of streams", () => {
  it("knows what each was sent, has taken and has rejected, for as long as it is open", () => {
    const registry = createStreamRegistry();
    const stream = { streamId: "s-1", nodeId: "" };
    registry.opened(stream);
    const known = { ...stream, nodeId: "frontend-1" };
    registry.sent(known, { versionInfo: "v1", names: ["default"] });
    registry.noticed(known, { kind: "acknowledged", versionInfo: "v1" });
    registry.sent(known, { versionInfo: "v2", names: ["default", "ROOTCA"] });
    registry.noticed(known, { kind: "rejected", versionInfo: "v2", reason: "bad key (code 13)" });
    registry.noticed(known, { kind: "unknown-names", names: ["x"] });
    expect(registry.current()).toEqual([
      {
        streamId: "s-1",
        nodeId: "frontend-1",
        names: ["default", "ROOTCA"],
        sentVersion: "v2",
        acknowledgedVersion: "v1",
        rejection: "bad key (code 13)",
      },
    ]);
    registry.noticed(known, { kind: "acknowledged", versionInfo: "v3" });
    expect(registry.current()[0]?.rejection).toBeNull();
    registry.closed(known);
    registry.sent(known, { versionInfo: "v4", names: ["default"] });
    expect(registry.current()).toEqual([]);
  });
});
