import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type BenchSet, benchSet } from "./decide/bench-policies.ts";
import { compileForCasbin } from "./decide/casbin.ts";
import { compileForCedar } from "./decide/cedar.ts";
import { compileLinear, linearAllows } from "./decide/linear.ts";
import { askOpa, findOpa } from "./decide/opa.ts";
import type { PeerEngine } from "./decide/peer-engine.ts";
import { compileForSignet, freshRequest, signetAllows } from "./decide/signet.ts";
import { type BenchmarkCase, medianOf, toCase } from "./measure.ts";

const sizes: readonly number[] = [10, 100, 1_000, 10_000];
/** How long one side of a case is measured. */
const sideMs = 1_500;

/**
 * Nanoseconds of one decision by 10 to 10000 policies of mixed shapes, on requests whose texts are fresh, beside a linear scan
 * of closures, casbin, Cedar and OPA. All of them have to agree on every request before anything is measured.
 */
export async function decide(): Promise<readonly BenchmarkCase[]> {
  const opa = await findOpa();
  if (opa.kind !== "found") process.stderr.write(`OPA is left out: ${opa.reason}\n`);
  const cases: BenchmarkCase[] = [];
  const peers: BenchmarkCase[] = [];
  for (const size of sizes) {
    const set = benchSet(size);
    const { ours, linear, expected } = measureOurs(set);
    cases.push(toCase({ case: `${size}`, unit: "ns", value: ours, baseline: linear }));
    const add = (name: string, baseline: number): void => {
      peers.push(toCase({ case: `${name}, ${size}`, unit: "ns", value: ours, baseline }));
    };
    add("casbin", measurePeer("casbin", await compileForCasbin(set.rules), { set, expected }));
    add("cedar", measurePeer("cedar", compileForCedar(set.rules), { set, expected }));
    if (opa.kind === "found") {
      const { allowed, nsPerDecision, compileMs } = await askOpa(opa.path, set, sideMs);
      checkSame("OPA", allowed, expected);
      process.stderr.write(`${size} policies: OPA compiled in ${Math.round(compileMs)} ms\n`);
      add("OPA", nsPerDecision);
    }
  }
  return [...cases, ...peers];
}

type Expected = { readonly set: BenchSet; readonly expected: readonly boolean[] };

function measureOurs({ rules, requests }: BenchSet): {
  readonly ours: number;
  readonly linear: number;
  readonly expected: readonly boolean[];
} {
  const before = usedMemory();
  const start = performance.now();
  const policies = compileForSignet(rules);
  const compileMs = performance.now() - start;
  const megabytes = (usedMemory() - before) / 1_048_576;
  const linear = compileLinear(rules);
  const expected = requests.map((request) => linearAllows(linear, freshRequest(request)));
  checkSame(
    "ours",
    requests.map((request) => signetAllows(policies, freshRequest(request))),
    expected,
  );
  const [ours, scanned] = inTurns(requests, [
    (batch) => {
      for (const request of batch) signetAllows(policies, request);
    },
    (batch) => {
      for (const request of batch) linearAllows(linear, request);
    },
  ]);
  const allowed = expected.filter(Boolean).length;
  const memory = `${megabytes.toFixed(1)} MB`;
  process.stderr.write(
    `${rules.length} policies: compiled in ${compileMs.toFixed(1)} ms, ${memory}; ${allowed} of ${requests.length} requests allowed\n`,
  );
  return { ours: ours ?? Number.NaN, linear: scanned ?? Number.NaN, expected };
}

/** Bytes that are in use once garbage is gone. */
function usedMemory(): number {
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

type Batch = readonly ReturnType<typeof freshRequest>[];

/** How long one side runs before the next one takes its turn: long enough that caches are its own for most of it. */
const sliceMs = 150;

/** Medians of several sides that take turns; each batch is of requests whose texts nobody has looked at before. */
function inTurns(requests: BenchSet["requests"], sides: readonly ((batch: Batch) => void)[]): readonly number[] {
  const times = sides.map((): number[] => []);
  const end = performance.now() + sideMs * sides.length;
  for (let slice = 0; slice < 2 || performance.now() < end; slice++) {
    for (const [index, side] of sides.entries()) {
      const taken = runSlice(requests, side);
      // In the first slice the code is not compiled yet.
      if (slice > 0) times[index]?.push(...taken);
    }
  }
  return times.map(medianOf);
}

function runSlice(requests: BenchSet["requests"], side: (batch: Batch) => void): readonly number[] {
  const times: number[] = [];
  const end = performance.now() + sliceMs;
  for (let round = 0; round < 2 || performance.now() < end; round++) {
    const batch = requests.map(freshRequest);
    const start = performance.now();
    side(batch);
    // The first batch finds the caches full of somebody else's policies.
    if (round > 0) times.push(((performance.now() - start) * 1e6) / batch.length);
  }
  return times;
}

function measurePeer(name: string, engine: PeerEngine, { set, expected }: Expected): number {
  const decisions = set.requests.map((request) => engine.prepare(request));
  checkSame(
    name,
    decisions.map((decision) => decision()),
    expected,
  );
  const times: number[] = [];
  const end = performance.now() + sideMs;
  for (let turn = 0; times.length < 5 || performance.now() < end; turn++) {
    const decision = decisions[turn % decisions.length];
    const start = performance.now();
    decision?.();
    times.push((performance.now() - start) * 1e6);
  }
  return times.reduce((sum, time) => sum + time, 0) / times.length;
}

/** Throws, since what decides otherwise is not measured beside us. */
function checkSame(name: string, decided: readonly boolean[], expected: readonly boolean[]): void {
  const different = expected.filter((allowed, index) => decided[index] !== allowed).length;
  if (different > 0) throw new Error(`${name} decides ${different} of ${expected.length} requests otherwise`);
}
