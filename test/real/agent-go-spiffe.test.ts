import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { ensureGoSpiffe, goSpiffeVersion } from "../../tools/ensure-go-spiffe.ts";
import { rotationsUnderLoad, startAgentUnderTest } from "../e2e/support/agent-under-test.ts";
import { findProgram } from "./support/find-program.ts";

const client = await findProgram(() => ensureGoSpiffe(AbortSignal.timeout(900_000)));

type Seen = {
  readonly serials: readonly string[];
  readonly ids: readonly string[];
  readonly requests: number;
  readonly fetches: number;
  readonly updates: number;
  readonly errors: readonly string[];
  readonly jwt: string;
};

describe.skipIf(client.path === "")(
  `go-spiffe ${goSpiffeVersion} as a client of the Workload API ${client.skipped}`,
  () => {
    test("follows three rotations as server and as caller, and no request is lost", async () => {
      const under = await startAgentUnderTest();
      try {
        // It is there before the socket is, as it may be in a pod.
        const args = [`unix://${under.workloadApiSocket}`, String(rotationsUnderLoad)];
        const { stdout } = await promisify(execFile)(client.path, args, { timeout: 120_000 });
        const seen = JSON.parse(stdout) as Seen;
        expect(seen).toMatchObject({
          ids: ["spiffe://cluster.local/ns/demo/sa/frontend"],
          errors: [],
          jwt: "Unimplemented",
        });
        expect(seen.serials).toHaveLength(rotationsUnderLoad + 1);
        expect(seen.updates).toBeGreaterThanOrEqual(rotationsUnderLoad);
        expect(seen.requests).toBeGreaterThan(50);
        expect(seen.fetches).toBeGreaterThan(5);
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
  },
);
