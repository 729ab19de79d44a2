import { Status, StatusError } from "@signet/grpc";
import { RuntimeError } from "@signet/runtime";
import { describe, expect, it } from "vitest";
import type { CaClient } from "./ca-client.ts";
import { createFailoverCaClient } from "./failover-ca-client.ts";

const busy = new StatusError(Status.RESOURCE_EXHAUSTED, "busy");
const away = new StatusError(Status.UNAVAILABLE, "away");
const late = new StatusError(Status.DEADLINE_EXCEEDED, "late");

/** Clients that fail as told, and which of them were asked. */
function start(...errors: readonly (Error | undefined)[]) {
  const asked: number[] = [];
  const switched: number[] = [];
  const clients = errors.map(
    (error, index): CaClient => ({
      async createCertificate() {
        asked.push(index);
        throw error ?? new Error("answered");
      },
    }),
  );
  const client = createFailoverCaClient(clients, { switched: (event) => switched.push(event.index) });
  const ask = (signal: AbortSignal = new AbortController().signal): Promise<unknown> =>
    client.createCertificate("csr", 3600, signal).catch((error: unknown) => error);
  return { asked, switched, ask };
}

describe("several addresses of a CA", () => {
  it("are asked in turn while none can be reached, one for each attempt", async () => {
    const { asked, switched, ask } = start(away, late, away);
    for (let n = 0; n < 4; n += 1) await ask();
    expect(asked).toEqual([0, 1, 2, 0]);
    expect(switched).toEqual([1, 2, 0, 1]);
  });

  it("are left for the one that answers, which stays the one to ask", async () => {
    const { asked, ask } = start(away, undefined);
    for (let n = 0; n < 4; n += 1) await ask();
    expect(asked).toEqual([0, 1, 1, 1]);
  });

  it.each([
    ["refuses", new StatusError(Status.UNAUTHENTICATED, "no")],
    ["is busy", busy],
  ])("are not left because one %s", async (_, error) => {
    const { asked, ask } = start(error, undefined);
    for (let n = 0; n < 2; n += 1) await ask();
    expect(asked).toEqual([0, 0]);
  });

  it("are left where the caller's time is over, and not where the caller ends", async () => {
    const over = start(new Error("cut off"), undefined);
    await over.ask(AbortSignal.abort(new RuntimeError("deadline-exceeded", "too long")));
    await over.ask();
    expect(over.asked).toEqual([0, 1]);
    const ended = start(away, undefined);
    await ended.ask(AbortSignal.abort(new Error("the agent ends")));
    await ended.ask();
    expect(ended.asked).toEqual([0, 0]);
  });

  it("may be one, and then there is nothing to switch to", async () => {
    const { asked, switched, ask } = start(away);
    for (let n = 0; n < 2; n += 1) await ask();
    expect(asked).toEqual([0, 0]);
    expect(switched).toEqual([]);
  });
});
