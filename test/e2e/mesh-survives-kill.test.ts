import { readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Agent,
  type ControlPlane,
  createSightings,
  type Mesh,
  makeDemoDirectory,
  sendTraffic,
  startAgent,
  startControlPlane,
  startMesh,
} from "@signet/cli/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findTestEnvoy } from "./support/envoy.ts";

const envoy = await findTestEnvoy();
// A busy machine takes seconds to start the CA server, and half of a lifetime is what is left when renewal is due.
const lifetime = "20s";

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

describe.skipIf(envoy.skipped)(`a workload with a valid certificate loses no request ${envoy.skipped}`, () => {
  // Moments that fall anywhere in the 5 seconds between two rotations; each program is killed more than once.
  test("when the CA server and the agents are killed and come back", async () => {
    const { site, signal } = makeSite();
    const mesh = await startMesh(site, { envoy: envoy.path, lifetime, onProgress: () => undefined }, signal);
    stack.defer(() => mesh.stop());
    const rootBefore = readRoot(mesh);

    const sightings = createSightings(() => undefined);
    let over = false;
    const traffic = sendTraffic(
      { outbound: mesh.outbound.address, done: () => over, onSighting: sightings.add },
      signal,
    );
    // When the test breaks off, that is the failure, and not the traffic with it.
    traffic.catch(() => undefined);
    const programs = createPrograms(site, mesh);
    for (const victim of ["frontend", "ca", "backend", "ca", "frontend", "backend", "ca"] as const) {
      await sleep(1_500 + 2_000 * Math.random(), undefined, { signal });
      await programs.killAndRestart(victim, signal);
    }
    const rotations = [sightings.rotations("frontend"), sightings.rotations("backend")];
    await sleep(21_000, undefined, { signal });
    over = true;

    expect(await traffic).toMatchObject({ failures: 0, connectionsLost: 0, reasons: [] });
    expect(readRoot(mesh)).toBe(rootBefore);
    // And life goes on: within a whole lifetime each side has rotated again.
    expect(sightings.rotations("frontend")).toBeGreaterThan(rotations[0] ?? 0);
    expect(sightings.rotations("backend")).toBeGreaterThan(rotations[1] ?? 0);
  });

  test("when the CA server is away for a fifth of a lifetime after renewal was due", async () => {
    const { site, signal } = makeSite();
    const mesh = await startMesh(site, { envoy: envoy.path, lifetime: "30s", onProgress: () => undefined }, signal);
    stack.defer(() => mesh.stop());
    const sightings = createSightings(() => undefined);
    const until = performance.now() + 42_000;
    const done = (): boolean => performance.now() > until;
    const traffic = sendTraffic({ outbound: mesh.outbound.address, done, onSighting: sightings.add }, signal);
    traffic.catch(() => undefined);
    await mesh.controlPlane.child.kill();
    // Rotation was due after 15 of the 30 seconds. What is left is for a busy machine to start the CA server in.
    await sleep(21_000, undefined, { signal });
    expect(sightings.rotations("frontend")).toBe(0);
    const controlPlane = await startControlPlane(site, { previous: mesh.controlPlane.addresses }, signal);
    stack.defer(() => controlPlane.child.stop());
    expect(await traffic).toMatchObject({ failures: 0, connectionsLost: 0, reasons: [] });
    expect(sightings.rotations("frontend")).toBeGreaterThan(0);
    expect(sightings.rotations("backend")).toBeGreaterThan(0);
  });
});

type Site = Parameters<typeof startMesh>[0];

function makeSite(): { readonly site: Site; readonly signal: AbortSignal } {
  const directory = makeDemoDirectory();
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const broken = new AbortController();
  const onUnexpectedEnd = (error: Error): void => broken.abort(error);
  const signal = AbortSignal.any([broken.signal, AbortSignal.timeout(110_000)]);
  return { site: { directory, onUnexpectedEnd }, signal };
}

function readRoot(mesh: Mesh): string {
  return readFileSync(mesh.controlPlane.addresses.rootCertificate, "utf8");
}

type Programs = { killAndRestart(victim: "ca" | "frontend" | "backend", signal: AbortSignal): Promise<void> };

function createPrograms(site: Site, mesh: Mesh): Programs {
  const { addresses } = mesh.controlPlane;
  let controlPlane: ControlPlane = mesh.controlPlane;
  const agents: Record<"frontend" | "backend", Agent> = { ...mesh.agents };
  stack.defer(() => controlPlane.child.stop());
  stack.defer(() => agents.frontend.child.stop());
  stack.defer(() => agents.backend.child.stop());
  return {
    async killAndRestart(victim, signal) {
      if (victim === "ca") {
        await controlPlane.child.kill();
        controlPlane = await startControlPlane(site, { previous: addresses }, signal);
        expect(controlPlane.addresses).toEqual(addresses);
      } else {
        await agents[victim].child.kill();
        const tokenFile = `${site.directory}/${victim}.token`;
        agents[victim] = startAgent(site, { workload: victim, tokenFile, addresses, lifetime });
      }
    },
  };
}
