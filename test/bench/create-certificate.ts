import { type BenchChild, startBenchChild } from "./create-certificate/bench-child.ts";
import { benchCsrs } from "./create-certificate/issue-core.ts";
import { createRequests, freshConnections, keptConnections, type Load } from "./create-certificate/load.ts";
import { behindGateway, inCluster, type Surrounded, withIssuer, withVault } from "./create-certificate/surroundings.ts";
import type { BenchmarkCase } from "./measure.ts";

/** How calls reach a server, and how many make one round. */
type Shape = { readonly name: string; readonly calls: number; open(server: BenchChild): Promise<Load> };

/** One side: CPU time of one call in microseconds, each time it is asked. */
type Side = { warmUp(): Promise<void>; round(): Promise<number>; close(): void };

const rounds = 15;
const coreCalls = 1_500;

/**
 * Server CPU time of one CreateCertificate over TLS, from the first byte to the last, beside the issue core (the same
 * certificate without server, network and token) and beside an empty handler of grpc-js. Each side is a process of its own.
 */
export async function createCertificate(): Promise<readonly BenchmarkCase[]> {
  const requests = createRequests(await benchCsrs());
  const shapes: readonly Shape[] = [
    {
      name: "1 connection",
      calls: 2_000,
      open: ({ ready }) => keptConnections(ready, requests, { connections: 1, concurrency: 32 }),
    },
    {
      name: "100 connections",
      calls: 2_000,
      open: ({ ready }) => keptConnections(ready, requests, { connections: 100, concurrency: 1 }),
    },
    { name: "fresh connections", calls: 300, open: async ({ ready }) => freshConnections(ready, requests, 8) },
  ];
  const children = new Map<string, BenchChild>();
  const child = async (role: string): Promise<BenchChild> => {
    const known = children.get(role) ?? (await startBenchChild(role));
    children.set(role, known);
    return known;
  };
  try {
    const cases: BenchmarkCase[] = [];
    for (const shape of shapes) {
      cases.push(...(await compareShape(shape, child)));
    }
    const [kept] = shapes;
    for (const role of ["client certificate", "RSA-2048 root"]) {
      if (kept === undefined) continue;
      const [ours, token] = [await callSide(kept, await child(role)), await callSide(kept, await child("token"))];
      cases.push(
        ...(await compareSides([{ case: `${role}, ${kept.name} / token, P-256 root`, ours, baselines: [token] }])),
      );
    }
    if (kept !== undefined) {
      cases.push(...(await compareUnknownTokens(requests, child)));
      cases.push(...(await compareSurroundings(kept, child)));
    }
    return cases;
  } finally {
    for (const started of children.values()) await started.stop();
  }
}

async function compareShape(
  shape: Shape,
  child: (role: string) => Promise<BenchChild>,
): Promise<readonly BenchmarkCase[]> {
  const ours = await callSide(shape, await child("token"));
  const grpcJs = await callSide(shape, await child("empty grpc-js"));
  const http2 = await callSide(shape, await child("empty node:http2"));
  const core = coreSide(await child("core"));
  return await compareSides([
    { case: `token, ${shape.name} / issue core`, ours, baselines: [core] },
    { case: `token, ${shape.name} / issue core + bare node:http2`, ours, baselines: [core, http2] },
    { case: `token, ${shape.name} / empty grpc-js`, ours, baselines: [grpcJs] },
  ]);
}

/** Every call with a token that the server has never seen, so that each has its signature verified. */
async function compareUnknownTokens(
  requests: readonly Buffer[],
  child: (role: string) => Promise<BenchChild>,
): Promise<readonly BenchmarkCase[]> {
  const around = await withIssuer();
  const { makeToken } = around;
  try {
    const cases: BenchmarkCase[] = [];
    for (const [connections, concurrency] of [
      [1, 32],
      [100, 1],
    ] as const) {
      const name = connections === 1 ? "1 connection" : `${connections} connections`;
      const open = ({ ready }: BenchChild) => keptConnections(ready, requests, { connections, concurrency, makeToken });
      const ours = await callSide({ name, calls: 1_000, open }, around.server);
      const core = coreSide(await child("core"));
      cases.push(
        ...(await compareSides([{ case: `a new token each, ${name} / issue core`, ours, baselines: [core] }])),
      );
    }
    return cases;
  } finally {
    await around.close();
  }
}

/** By authenticator and by signing CA, each beside the server that knows callers by OIDC token and has its own key. */
async function compareSurroundings(
  shape: Shape,
  child: (role: string) => Promise<BenchChild>,
): Promise<readonly BenchmarkCase[]> {
  const kinds: readonly (readonly [string, () => Promise<Surrounded | undefined>])[] = [
    ["forwarded client certificate", behindGateway],
    ["Kubernetes token, reviewed", () => inCluster("review")],
    ["Kubernetes token, verified locally", () => inCluster("local")],
    ["Vault signs", withVault],
  ];
  const cases: BenchmarkCase[] = [];
  for (const [name, open] of kinds) {
    const around = await open();
    if (around === undefined) continue;
    try {
      const small = name === "Vault signs" ? { ...shape, calls: 300 } : shape;
      const ours = await callSide(small, around.server);
      const baseline = await callSide(shape, await child("token"));
      const [compared] = await compareSides([
        { case: `${name}, ${shape.name} / token, P-256 root`, ours, baselines: [baseline] },
      ]);
      if (compared === undefined) continue;
      cases.push(compared);
      if (name !== "Vault signs") continue;
      const wall = round(await around.server.vaultMicros());
      const { value } = compared;
      // Not ours to spend, and not CPU: what a signature took in Vault and on the way, under this load.
      cases.push({
        case: "Vault's own time / the server's CPU",
        unit: "us",
        value: wall,
        baseline: value,
        ratio: round(wall / value),
      });
    } finally {
      await around.close();
    }
  }
  return cases;
}

async function callSide(shape: Shape, server: BenchChild): Promise<Side> {
  const load = await shape.open(server);
  return {
    warmUp() {
      load.prepare(shape.calls);
      return load.run(shape.calls);
    },
    async round() {
      load.prepare(shape.calls);
      const before = await server.cpuMicros();
      await load.run(shape.calls);
      return ((await server.cpuMicros()) - before) / shape.calls;
    },
    close: () => load.close(),
  };
}

function coreSide(process: BenchChild): Side {
  return {
    async warmUp() {
      await process.coreMicros(coreCalls);
    },
    round: () => process.coreMicros(coreCalls),
    close() {},
  };
}

/** Rounds of every side in turn; medians, of which several baselines are added up. */
async function compareSides(
  contests: readonly { readonly case: string; readonly ours: Side; readonly baselines: readonly Side[] }[],
): Promise<readonly BenchmarkCase[]> {
  const sides = contests.flatMap(({ ours, baselines }) => [ours, ...baselines]);
  const times = new Map<Side, number[]>(sides.map((side) => [side, []]));
  for (const side of times.keys()) {
    for (let round = 0; round < 3; round++) await side.warmUp();
  }
  for (let round = 0; round < rounds; round++) {
    for (const [side, spent] of times) spent.push(await side.round());
  }
  for (const side of times.keys()) side.close();
  return contests.map(({ case: name, ours, baselines }) => {
    const value = median(times.get(ours));
    const baseline = baselines.reduce((sum, side) => sum + median(times.get(side)), 0);
    return { case: name, unit: "us", value: round(value), baseline: round(baseline), ratio: round(value / baseline) };
  });
}

function median(values: readonly number[] = []): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
