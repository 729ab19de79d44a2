import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ControlPlane,
  canSign,
  createSightings,
  makeDemoDirectory,
  poll,
  prepareVaultCa,
  type Sightings,
  sendTraffic,
  startControlPlane,
  startMesh,
  type TrafficTotals,
  type VaultCa,
  type VaultOperator,
} from "@signet/cli/testing";
import type { TestVault } from "./vault-server.ts";

/** What to build a mesh of. */
export type VaultMeshSpec = {
  readonly vault: TestVault;
  /** Path of an Envoy. */
  readonly envoy: string;
  /** Of the workloads' certificates. */
  readonly lifetimeMs: number;
};

/** A mesh under traffic whose certificates are signed by a Vault of our own. */
export interface VaultMesh {
  readonly ca: VaultCa;
  readonly operator: VaultOperator;
  readonly sightings: Sightings;
  /** Every failed request and every lost connection so far. */
  readonly problems: readonly string[];
  /** When the last of the two sides was first seen with the certificate that it has now, in milliseconds (performance.now). */
  lastRotatedAt(): number;
  /** Resolves when each side has come with another certificate than before `since`. */
  untilBothRotated(since: RotationCounts): Promise<void>;
  rotations(): RotationCounts;
  /** What the CA server says of itself. */
  canSign(): Promise<boolean>;
  untilCanSign(expected: boolean): Promise<void>;
  /** Ends the CA server with SIGKILL. */
  killCaServer(): Promise<void>;
  /** Starts it again and resolves when it listens, whether or not it can sign. */
  restartCaServer(): Promise<void>;
  /** Ends the traffic and resolves with what came of all of it. */
  endTraffic(): Promise<TrafficTotals>;
  close(): Promise<void>;
}

export type RotationCounts = { readonly frontend: number; readonly backend: number };

/** Short, so that the CA server has to renew its token, and to log in anew, while the tests last. */
const tokens = { tokenTtl: "60s", tokenMaxTtl: "100s" };
/** Longer than a certificate lives: who is not back by then is not coming back. */
const patienceMs = 45_000;

/** Starts all of it; resolves when both sides have been seen. */
export async function startVaultMesh({ vault, envoy, lifetimeMs }: VaultMeshSpec): Promise<VaultMesh> {
  const stack = new AsyncDisposableStack();
  const broken = new AbortController();
  const directory = makeDemoDirectory();
  stack.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  const site = { directory, onUnexpectedEnd: (error: Error) => broken.abort(error) };
  try {
    const server = await vault.start();
    stack.defer(() => server.close());
    if (server.own === undefined) throw new Error("this Vault is not ours to seal");
    const ca = await prepareVaultCa(server, { directory, ...tokens });
    const options = { envoy, lifetime: `${lifetimeMs / 1000}s`, caEnvironment: ca.environment, onProgress: () => {} };
    const mesh = await startMesh(site, options, broken.signal);
    stack.defer(() => mesh.stop());
    const traffic = startTraffic(mesh.outbound.address, broken.signal);
    stack.defer(() => void traffic.end());
    const caServer = createCaServer(mesh.controlPlane, (previous) =>
      startControlPlane(site, { previous, caEnvironment: ca.environment, until: "listening" }, broken.signal),
    );
    stack.defer(() => caServer.stop());
    const built: VaultMesh = {
      ...{ ca, operator: server.own, sightings: traffic.sightings, problems: traffic.problems },
      lastRotatedAt: traffic.lastRotatedAt,
      rotations: traffic.rotations,
      untilBothRotated: (since) => traffic.untilBothRotated(since, broken.signal),
      ...{ canSign: caServer.canSign, untilCanSign: caServer.untilCanSign },
      ...{ killCaServer: caServer.kill, restartCaServer: caServer.restart },
      async endTraffic() {
        const totals = await traffic.end();
        const ended = await mesh.outbound.connectionsEndedByBackend(broken.signal);
        return { ...totals, connectionsLost: Math.max(totals.connectionsLost, ended) };
      },
      close: () => stack.disposeAsync(),
    };
    // Nothing shown, as a count of rotations.
    await built.untilBothRotated({ frontend: -1, backend: -1 });
    return built;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

type Traffic = Pick<VaultMesh, "sightings" | "problems" | "lastRotatedAt" | "rotations"> & {
  untilBothRotated(since: RotationCounts, signal: AbortSignal): Promise<void>;
  end(): Promise<TrafficTotals>;
};

function startTraffic(outbound: { readonly host: string; readonly port: number }, signal: AbortSignal): Traffic {
  const problems: string[] = [];
  let lastRotatedAt = 0;
  let over = false;
  const startedAt = performance.now();
  const sightings = createSightings(() => {
    lastRotatedAt = performance.now();
  });
  const onProblem = (reason: string): unknown =>
    problems.push(`after ${((performance.now() - startedAt) / 1000).toFixed(1)} s: ${reason}`);
  const running = sendTraffic({ outbound, done: () => over, onSighting: sightings.add, onProblem }, signal);
  // When a test breaks off, that is the failure, and not the traffic with it.
  running.catch(() => undefined);
  const seen = (name: "frontend" | "backend"): number => sightings.of(name).serials.length - 1;
  const rotations = (): RotationCounts => ({ frontend: seen("frontend"), backend: seen("backend") });
  return {
    ...{ sightings, problems, rotations, lastRotatedAt: () => lastRotatedAt },
    async untilBothRotated(since, until) {
      const look = async (): Promise<true | undefined> => {
        const { frontend, backend } = rotations();
        return (frontend > since.frontend && backend > since.backend) || undefined;
      };
      await poll(look, { what: "a new certificate of each side", limitMs: patienceMs }, until);
    },
    async end() {
      over = true;
      return await running;
    },
  };
}

type CaServer = Pick<VaultMesh, "canSign" | "untilCanSign"> & {
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
};

function createCaServer(
  started: ControlPlane,
  startAgain: (previous: ControlPlane["addresses"]) => Promise<ControlPlane>,
): CaServer {
  let running = started;
  const look = (): Promise<boolean> => canSign(running.addresses, AbortSignal.timeout(5_000));
  return {
    canSign: look,
    async untilCanSign(expected) {
      const asExpected = async (): Promise<true | undefined> => (await look()) === expected || undefined;
      await poll(asExpected, { what: `a CA server that can${expected ? "" : "not"} sign`, limitMs: patienceMs });
    },
    kill: () => running.child.kill(),
    async restart() {
      running = await startAgain(running.addresses);
    },
    stop: () => running.child.stop(),
  };
}

/** Resolves when `performance.now()` is at `instant`. */
export async function sleepUntilInstant(instant: number): Promise<void> {
  await sleep(Math.max(0, instant - performance.now()));
}
