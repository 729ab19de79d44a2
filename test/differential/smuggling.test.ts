import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseWorkload } from "@signet/documents";
import { rbacFilters } from "@signet/envoy-config";
import { compilePolicies, decide, policiesFor, requestHeaders } from "@signet/policy";
import { makePolicy } from "@signet/policy/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { makeRawRequest } from "./smuggling/raw-requests.ts";
import { clusterAt, connectionManager } from "./support/bootstrap.ts";
import { type EchoUpstream, type SeenRequest, startEchoUpstream } from "./support/echo-upstream.ts";
import { type EnvoyProcess, startEnvoyProcess } from "./support/envoy-process.ts";
import { valuesOf } from "./support/http1.ts";
import { Random } from "./support/random.ts";
import { differentialRuns, differentialTimeoutMs } from "./support/runs.ts";

const envoy = await findTestEnvoy();
const { runs, seed } = differentialRuns(1_500);

const denied = makePolicy({
  action: "DENY",
  rules: [
    { when: [{ key: "request.headers[x-role]", values: ["admin", "*,admin", "admin,*"] }] },
    { to: [{ hosts: ["internal.example", "internal.example:*", "*,internal.example"] }] },
    { to: [{ paths: ["/admin*", "*/admin"] }] },
    { to: [{ methods: ["DELETE"] }] },
  ],
});
const policies = policiesFor(
  compilePolicies({ documents: [denied], refused: [] }).compiled,
  parseWorkload("foo/app=httpbin"),
);

/** What the engine says of a request as an upstream has it. */
function effectOf({ startLine, headers }: SeenRequest): "allow" | "deny" {
  const [method = "", path = ""] = startLine.split(" ");
  const host = valuesOf(headers, "host").join(",");
  return decide(policies, { kind: "http", method, path, host, headers: requestHeaders(headers) }).effect;
}

describe.skipIf(envoy.path === "")(
  `octets that two parsers may read differently, through a real Envoy ${envoy.version}${envoy.skipped}`,
  () => {
    const seen: SeenRequest[] = [];
    let directory: string;
    let upstream: EchoUpstream;
    let proxy: EnvoyProcess;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "signet-raw-"));
      upstream = await startEchoUpstream(join(directory, "echo.sock"), (request) => seen.push(request));
      const { filters } = rbacFilters([denied], { trustDomains: ["cluster.local"] });
      const listener = {
        name: "raw",
        address: { pipe: { path: join(directory, "raw.sock") } },
        filterChains: [{ filters: [connectionManager(filters, { normalizePath: true })] }],
      };
      const bootstrap = {
        staticResources: { clusters: [clusterAt("echo", join(directory, "echo.sock"))], listeners: [listener] },
      };
      proxy = await startEnvoyProcess({ binary: envoy.path, directory, bootstrap });
    });
    afterAll(async () => {
      await proxy?.stop();
      upstream?.close();
      await rm(directory, { recursive: true, force: true });
    });

    test(
      "no upstream gets what policies deny, whatever was sent",
      async () => {
        const random = new Random(seed);
        const bad: string[] = [];
        for (let made = 0; made < runs; made += 30) {
          const batch = Array.from({ length: 30 }, () => makeRawRequest(random));
          const before = seen.length;
          await Promise.all(batch.map((octets) => send(join(directory, "raw.sock"), octets)));
          for (const request of seen.slice(before)) {
            if (effectOf(request) === "deny")
              bad.push(
                `${JSON.stringify(request)} of one of ${JSON.stringify(batch.map((octets) => octets.toString("latin1")))}`,
              );
          }
        }
        process.stderr.write(`${seen.length} of ${runs} got through to the upstream\n`);
        expect(bad.slice(0, 3)).toEqual([]);
        expect(seen.length).toBeGreaterThan(runs / 20);
      },
      differentialTimeoutMs,
    );
  },
);

const patienceMs = 150;

/** Sends octets on a connection of their own and waits until there is an answer, an end, or nothing for a while. */
async function send(path: string, octets: Buffer): Promise<void> {
  const socket = connect(path);
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("error", () => resolve());
  socket.once("close", () => resolve());
  socket.on("data", () => setTimeout(resolve, 15));
  socket.write(octets);
  const timer = setTimeout(resolve, patienceMs);
  await promise;
  clearTimeout(timer);
  socket.destroy();
}
