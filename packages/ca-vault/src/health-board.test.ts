import { describe, expect, it } from "vitest";
import { createHealthBoard, type HealthPart, type HealthProblem } from "./health-board.ts";

const slow: HealthProblem = { state: "failing", reason: "vault-slow" };
const expiring: HealthProblem = { state: "degraded", reason: "issuer-expiring" };
const limited: HealthProblem = { state: "degraded", reason: "rate-limited" };

describe("createHealthBoard", () => {
  it("is starting until the issuers have been read, unless there is more to say", () => {
    const board = createHealthBoard();
    expect(board.health.current()).toEqual({ state: "failing", reason: "starting" });
    board.report("session", { state: "failing", reason: "login-refused" });
    expect(board.health.current()).toEqual({ state: "failing", reason: "login-refused" });
  });

  it.each<[string, readonly [HealthPart, HealthProblem | undefined][], unknown]>([
    ["good without problems", [], { state: "good" }],
    ["what is wrong", [["signing", limited]], limited],
    [
      "failing before degraded",
      [
        ["issuers", expiring],
        ["signing", slow],
      ],
      slow,
    ],
    [
      "the session before the others",
      [
        ["signing", limited],
        ["issuers", expiring],
      ],
      expiring,
    ],
    [
      "good when it is over",
      [
        ["signing", slow],
        ["signing", undefined],
      ],
      { state: "good" },
    ],
  ])("says %s", (_, reports, expected) => {
    const board = createHealthBoard();
    board.report("issuers", undefined);
    for (const [part, problem] of reports) board.report(part, problem);
    expect(board.health.current()).toEqual(expected);
  });

  it("tells of changes only", async () => {
    const board = createHealthBoard();
    const before = board.health.current();
    board.report("session", { state: "failing", reason: "starting" });
    expect(board.health.current()).toBe(before);
  });
});
