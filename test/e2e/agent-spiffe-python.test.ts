import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ensurePythonGrpc } from "../../tools/ensure-python-grpc.ts";
import { rotationsUnderLoad, startAgentUnderTest } from "./support/agent-under-test.ts";

const found = await ensurePythonGrpc();
const python = found.kind === "ready" ? found.python : "";
const reason = found.kind === "ready" ? "" : `SKIPPED: ${found.reason}`;
if (found.kind === "missing") {
  if (process.env.CI) throw new Error(`the Python client of the Workload API is required under CI: ${found.reason}`);
  process.stderr.write(`${reason}\n`);
}

type Seen = {
  readonly serials: readonly string[];
  readonly ids: readonly string[];
  readonly updates: number;
  readonly handshakes: number;
  readonly fetches: number;
  readonly jwt: string;
};

describe.skipIf(found.kind === "missing")(`the Python package spiffe as a client of the Workload API ${reason}`, () => {
  it("follows three rotations, and every handshake with what it holds succeeds", async () => {
    const under = await startAgentUnderTest();
    try {
      const script = join(import.meta.dirname, "python/spiffe_client.py");
      const args = [script, `unix:${under.workloadApiSocket}`, String(rotationsUnderLoad)];
      // The package refuses a socket that is not there yet; a first SVID it waits for.
      while (!existsSync(under.workloadApiSocket)) await sleep(20);
      const { stdout } = await promisify(execFile)(python, args, { timeout: 90_000 });
      const seen = JSON.parse(stdout) as Seen;
      expect(seen.ids).toEqual(["spiffe://cluster.local/ns/demo/sa/frontend"]);
      expect(seen.serials).toHaveLength(rotationsUnderLoad + 1);
      expect(seen.updates).toBeGreaterThanOrEqual(rotationsUnderLoad);
      expect(seen.handshakes).toBeGreaterThan(50);
      expect(seen.fetches).toBeGreaterThan(5);
      expect(seen.jwt).toContain("UNIMPLEMENTED");
      const issued = [...under.agent.output.stderr.matchAll(/"serialNumber":"([0-9a-f]+)"/g)];
      const serials = issued.map(([, hex]) => BigInt(`0x${hex}`));
      for (const serial of seen.serials) expect(serials).toContain(BigInt(`0x${serial}`));
    } catch (error) {
      process.stderr.write(under.agent.output.stderr);
      throw error;
    } finally {
      await under.close();
    }
  });
});
