import { setTimeout as sleep } from "node:timers/promises";
import { type HttpConnection, openHttpConnection } from "./http-connection.ts";
import type { Address } from "./sidecar.ts";
import { readSighting, type Sighting } from "./sightings.ts";

/** What the traffic came to. */
export type TrafficTotals = {
  readonly requests: number;
  readonly failures: number;
  /** Connections, of the workload or behind it between the sidecars, that ended before the workload ended them. */
  readonly connectionsLost: number;
  /** Connections opened, the kept one included. */
  readonly connections: number;
  /** The first few failures, for people. */
  readonly reasons: readonly string[];
};

/** Where the traffic goes and how long; `done` is asked before every request. */
export type TrafficOptions = {
  readonly outbound: Address;
  readonly done: () => boolean;
  readonly onSighting: (sighting: Sighting) => void;
  /** Told of every failed request and every lost connection at once. */
  readonly onProblem?: (reason: string) => void;
};

// Two lanes of 25 requests a second each.
const periodMs = 40;
const requestsPerNewConnection = 5;
const reasonsKept = 5;

/**
 * Sends steady traffic until `done`, and resolves with what came of it.
 *
 * One lane keeps a single connection for the whole time; the other opens a new one for every 5 requests, since only a new
 * connection shows a new certificate.
 */
export async function sendTraffic(options: TrafficOptions, signal: AbortSignal): Promise<TrafficTotals> {
  const totals = { requests: 0, failures: 0, connectionsLost: 0, connections: 0, reasons: [] as string[] };
  await Promise.all([
    sendLane({ ...options, totals, requestsPerConnection: Number.POSITIVE_INFINITY }, signal),
    sendLane({ ...options, totals, requestsPerConnection: requestsPerNewConnection }, signal),
  ]);
  return totals;
}

type MutableTotals = { -readonly [name in keyof TrafficTotals]: TrafficTotals[name] } & { reasons: string[] };

type LaneOptions = TrafficOptions & { readonly totals: MutableTotals; readonly requestsPerConnection: number };

async function sendLane(options: LaneOptions, signal: AbortSignal): Promise<void> {
  let lane: LaneConnection | undefined;
  let dueAt = performance.now();
  while (!options.done()) {
    if (lane !== undefined && (lane.sent >= options.requestsPerConnection || lane.connection.lost())) {
      endConnection(lane, options);
      lane = undefined;
    }
    lane ??= beginConnection(options);
    await sendOne(lane, options);
    // After a hiccup the pace goes on; missed requests are not made up for in a burst.
    dueAt = Math.max(dueAt + periodMs, performance.now());
    await sleep(Math.max(0, dueAt - performance.now()), undefined, { signal });
  }
  if (lane !== undefined) {
    endConnection(lane, options);
  }
}

type LaneConnection = { readonly connection: HttpConnection; sent: number; connectionId: string | undefined };

function beginConnection(options: LaneOptions): LaneConnection {
  options.totals.connections += 1;
  return { connection: openHttpConnection(options.outbound), sent: 0, connectionId: undefined };
}

function endConnection(lane: LaneConnection, options: LaneOptions): void {
  if (lane.connection.lost()) {
    countLost(options, "a connection of the workload was lost");
  }
  lane.connection.close();
}

function countLost({ totals, onProblem }: LaneOptions, reason: string): void {
  totals.connectionsLost += 1;
  onProblem?.(reason);
}

async function sendOne(lane: LaneConnection, options: LaneOptions): Promise<void> {
  const { totals, onSighting } = options;
  totals.requests += 1;
  lane.sent += 1;
  try {
    const answer = await lane.connection.get("/");
    if (answer.status !== 200) {
      throw new Error(`status ${answer.status}: ${answer.body.slice(0, 200)}`);
    }
    const sighting = readSighting(answer);
    // Behind the same connection of the workload there must be the same connection between the sidecars.
    if (lane.connectionId !== undefined && lane.connectionId !== sighting.connectionId) {
      countLost(options, "a connection between the sidecars was lost");
    }
    lane.connectionId = sighting.connectionId;
    onSighting(sighting);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    totals.failures += 1;
    options.onProblem?.(reason);
    if (totals.reasons.length < reasonsKept) {
      totals.reasons.push(reason);
    }
  }
}
