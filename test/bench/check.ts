import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureEnvoy } from "@signet/cli";
import { type AskedServer, startAskedServer } from "./check/asked-server.ts";
import { bearer, checkRequestWith, policyDocuments, tokenDocuments } from "./check/bench-request.ts";
import { type CheckContest, compareSides, type Side } from "./check/check-side.ts";
import { type EnvoyRole, startEnvoySides } from "./check/envoy-sides.ts";
import { openGrpcSide } from "./check/grpc-side.ts";
import type { BenchmarkCase } from "./measure.ts";

const grpcRounds = 9;
const envoyRounds = 5;

type Servers = { readonly empty: AskedServer; readonly policies: AskedServer; readonly token: AskedServer };

/**
 * CPU time of one Check over a Unix socket beside an empty handler of grpc-js, each in a process of its own; and of one request
 * through an Envoy that asks, beside one that has the same policies as filters, and one that has none. Of each also the requests
 * for a second of one core, and what 99 of 100 take at most while 32 are under way.
 */
export async function check(): Promise<readonly BenchmarkCase[]> {
  const directory = mkdtempSync(join(tmpdir(), "signet-bench-check-"));
  const started: AskedServer[] = [];
  const start = async (role: string, documents: string): Promise<AskedServer> => {
    const server = await startAskedServer(role, directory, documents);
    started.push(server);
    return server;
  };
  try {
    const servers: Servers = {
      empty: await start("empty", ""),
      policies: await start("policies", policyDocuments),
      token: await start("token", tokenDocuments),
    };
    return [...(await compareAlone(servers)), ...(await compareBehindEnvoy(servers, directory))];
  } finally {
    for (const server of started) await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compareAlone({ empty, policies, token }: Servers): Promise<readonly BenchmarkCase[]> {
  const baseline = await openGrpcSide("empty grpc-js", empty, checkRequestWith({}));
  const plain = await openGrpcSide("policies", policies, checkRequestWith({}));
  const authenticated = await openGrpcSide("token", token, checkRequestWith({ authorization: bearer }));
  const cases = await compareSides(
    [
      { case: "100 policies / empty grpc-js", ours: plain, baseline },
      { case: "100 policies and a token seen before / empty grpc-js", ours: authenticated, baseline },
    ],
    grpcRounds,
  );
  for (const side of [baseline, plain, authenticated]) side.close();
  return cases;
}

/** None, once it has said why, where there is no Envoy. */
async function compareBehindEnvoy(servers: Servers, directory: string): Promise<readonly BenchmarkCase[]> {
  const progress = (line: string): boolean => process.stderr.write(`${line}\n`);
  const found = await ensureEnvoy({ env: process.env, progress }, AbortSignal.timeout(300_000));
  if (found.kind === "unavailable" || !existsSync("/proc/self/schedstat")) {
    progress(
      `no case with Envoy: ${found.kind === "unavailable" ? found.reason : "this system has no schedstat in /proc"}`,
    );
    return [];
  }
  const { sides, stop } = await startEnvoySides(found.path, directory, rolesOf(servers));
  try {
    return await compareSides(envoyContests(sides), envoyRounds);
  } finally {
    await stop();
  }
}

function rolesOf({ empty, policies, token }: Servers): readonly EnvoyRole[] {
  return [
    { name: "Envoy with no policy", decides: false, bearsToken: false },
    { name: "Envoy asks empty grpc-js", asks: empty, decides: false, bearsToken: false },
    { name: "Envoy with RBAC", documents: policyDocuments, decides: true, bearsToken: false },
    { name: "Envoy asks", asks: policies, decides: true, bearsToken: false },
    { name: "Envoy with no policy, token", decides: false, bearsToken: true },
    { name: "Envoy with JWT and RBAC", documents: tokenDocuments, decides: true, bearsToken: true },
    { name: "Envoy asks, token", asks: token, decides: true, bearsToken: true },
  ];
}

function envoyContests(sides: ReadonlyMap<string, Side>): readonly CheckContest[] {
  const contest = (name: string, one: string, other: string): readonly CheckContest[] => {
    const [ours, baseline] = [sides.get(one), sides.get(other)];
    return ours && baseline ? [{ case: name, ours, baseline }] : [];
  };
  return [
    ...contest("100 policies, Envoy asks / Envoy with no policy", "Envoy asks", "Envoy with no policy"),
    ...contest("100 policies, Envoy asks / Envoy with RBAC", "Envoy asks", "Envoy with RBAC"),
    ...contest("100 policies, Envoy asks / Envoy asks empty grpc-js", "Envoy asks", "Envoy asks empty grpc-js"),
    ...contest("100 policies, Envoy with RBAC / Envoy with no policy", "Envoy with RBAC", "Envoy with no policy"),
    ...contest(
      "100 policies and a token, Envoy asks / Envoy with no policy",
      "Envoy asks, token",
      "Envoy with no policy, token",
    ),
    ...contest(
      "100 policies and a token, Envoy asks / Envoy with JWT and RBAC",
      "Envoy asks, token",
      "Envoy with JWT and RBAC",
    ),
    ...contest(
      "100 policies and a token, Envoy with JWT and RBAC / Envoy with no policy",
      "Envoy with JWT and RBAC",
      "Envoy with no policy, token",
    ),
  ];
}
