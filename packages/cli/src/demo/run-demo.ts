import { setTimeout as sleep } from "node:timers/promises";
import { playActs } from "./acts.ts";
import type { DemoOptions } from "./demo-options.ts";
import { createReport, type DemoFindings } from "./report.ts";
import { createSightings, type Sightings } from "./sightings.ts";
import type { Timeline } from "./timeline.ts";

/**
 * Plays the demo and returns whether all of it was as it must be; everything it started is stopped by then.
 *
 * Rejects only when the signal aborts. There is a report also when an act breaks off, with what was found until then.
 */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<boolean> {
  const broken = new AbortController();
  const either = AbortSignal.any([signal, broken.signal]);
  const site = { directory: options.directory, onUnexpectedEnd: (error: Error) => broken.abort(error) };
  const findings = { ...nothingFound, sightings: tellingSightings(options.timeline) };
  await using stack = new AsyncDisposableStack();
  const mesh = await playActs({ ...options, site, findings, stack }, either).catch((error: unknown) => {
    signal.throwIfAborted();
    // When a program of the mesh ended, that is the reason, and not the first thing that failed for want of it.
    const reason: unknown = either.aborted ? either.reason : error;
    options.warn(reason instanceof Error ? reason.message : String(reason));
    return undefined;
  });
  const report = createReport({ ...findings, playedOut: mesh !== undefined, seconds: options.elapsed() });
  options.onReport(report);
  if (options.settings.keep && mesh !== undefined) {
    const { host, port } = mesh.outbound.address;
    options.timeline.say(`left running until Ctrl-C; through both sidecars: curl -i http://${host}:${port}/`);
    options.timeline.say(`logs, bootstraps and sockets are in ${options.directory}`);
    await sleep(2 ** 31 - 1, undefined, { signal: either });
  }
  return report.ok;
}

const nothingFound: Omit<DemoFindings, "sightings" | "playedOut" | "seconds"> = {
  envoyVersion: undefined,
  vault: undefined,
  traffic: undefined,
  strangersRefused: 0,
  policy: undefined,
};

function tellingSightings(timeline: Timeline): Sightings {
  return createSightings((owner, { spiffeId, serial }, rotation) => {
    const what = rotation === 0 ? `shows ${spiffeId}` : `has rotated (${rotation})`;
    timeline.say(`${owner.padEnd(8)} ${what}, serial ${serial.slice(0, 8)}…`, rotation === 0 ? "plain" : "good");
  });
}
