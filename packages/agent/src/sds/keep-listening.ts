import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import type { GrpcListener } from "@signet/grpc";
import { type Clock, errorMessage, type Task } from "@signet/runtime";

/** A listener on a socket file that is made again when the file has gone. */
export interface KeptListener {
  /** Looks after the file. */
  readonly task: Task;
  /** Why no client can connect now, or undefined. */
  problem(): Promise<string | undefined>;
  /** Ends every listener there is; none is made any more. */
  drain(graceMs: number): Promise<void>;
}

export interface KeptListenerEvents {
  /** The file was gone, and is there again; streams of the listener before were ended. */
  remade(event: { readonly reason: string }): void;
  /** The file is gone and cannot be made; told once, and again when the reason changes. */
  unusable(event: { readonly reason: string; readonly error: unknown }): void;
}

/** A lost socket keeps new clients out, and a look at a file costs nothing. */
const tickMs = 1_000;
const drainGraceMs = 2_000;

/**
 * Listens by `listen` on `socketPath`, and again whenever the file there is not that of the listener any more.
 *
 * A directory that is cleaned or mounted over takes the socket file away while the listener behind it lives on, where no
 * client can find it. What somebody else has put in the place is not taken over; that is up to `listen`.
 */
export async function keepListening(
  options: { readonly socketPath: string; readonly listen: () => Promise<GrpcListener>; readonly clock: Clock },
  events: KeptListenerEvents,
): Promise<KeptListener> {
  const { socketPath, listen, clock } = options;
  let current = await listenOnce();
  let restoring: Promise<void> = Promise.resolve();
  let retired: Promise<void> = Promise.resolve();
  let told: string | undefined;
  let draining = false;

  async function listenOnce(): Promise<{ readonly listener: GrpcListener; readonly file: Stats }> {
    const listener = await listen();
    try {
      return { listener, file: await lstat(socketPath) };
    } catch (error) {
      await listener.drain(0);
      throw error;
    }
  }

  async function problem(): Promise<string | undefined> {
    try {
      const { ino, dev } = await lstat(socketPath);
      return ino === current.file.ino && dev === current.file.dev ? undefined : `${socketPath} is not our socket`;
    } catch (error) {
      return errorMessage(error);
    }
  }

  async function restore(reason: string): Promise<void> {
    try {
      const { listener } = current;
      current = await listenOnce();
      told = undefined;
      events.remade({ reason });
      retired = Promise.all([retired, listener.drain(drainGraceMs)]).then(() => undefined);
    } catch (error) {
      const failure = errorMessage(error);
      if (failure !== told) events.unusable({ reason, error });
      told = failure;
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(tickMs, signal);
      const reason = draining ? undefined : await problem();
      if (reason !== undefined && !draining) restoring = restore(reason);
      await restoring;
    }
  }

  return {
    task: { name: "keep the SDS socket", run },
    problem,
    async drain(graceMs) {
      draining = true;
      await restoring;
      await Promise.all([retired, current.listener.drain(graceMs)]);
    },
  };
}
