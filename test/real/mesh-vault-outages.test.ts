import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { sleepUntilInstant, startVaultMesh, type VaultMesh } from "./support/vault-mesh.ts";
import { findTestVault } from "./support/vault-server.ts";

const envoy = await findTestEnvoy();
const vault = await findTestVault();
const skipped = envoy.skipped || vault.skippedOwn;

/** Agents renew at half of it, give or take a hundredth. */
const lifetimeMs = 30_000;

// One mesh under traffic for all of them, one after the other: a test begins where both sides have just rotated, since the
// one before ends there. Moments are shares of a lifetime after that; a certificate is never in use for more than half of
// one while all is well, so that these are all the moments that there are.
describe.skipIf(skipped)(`a mesh of 30-second certificates whose Vault comes and goes ${skipped}`, () => {
  let mesh: VaultMesh;
  beforeAll(async () => {
    mesh = await startVaultMesh({ vault, envoy: envoy.path, lifetimeMs });
  });
  afterAll(() => mesh?.close());

  /** Lets `outage` run from `begins` to `begins + lasts`, and waits until both sides have new certificates, by themselves. */
  async function survive(
    { begins, lasts }: { readonly begins: number; readonly lasts: number },
    outage: (ends: number) => Promise<void>,
  ): Promise<void> {
    const start = mesh.lastRotatedAt() + begins * lifetimeMs;
    await sleepUntilInstant(start);
    const [before, problems] = [mesh.rotations(), mesh.problems.length];
    const ends = Math.max(start, performance.now()) + lasts * lifetimeMs;
    await outage(ends);
    await mesh.untilBothRotated(before);
    await mesh.untilCanSign(true);
    expect(mesh.problems.slice(problems)).toEqual([]);
  }

  async function sealed(ends: number): Promise<void> {
    const before = mesh.rotations();
    await mesh.operator.seal();
    await mesh.untilCanSign(false);
    await sleepUntilInstant(ends);
    // What was under way when Vault was sealed may have come through; nothing after that.
    const { frontend, backend } = mesh.rotations();
    expect(frontend + backend - before.frontend - before.backend).toBeLessThanOrEqual(2);
    await mesh.operator.unseal();
  }

  const moments: readonly (readonly [when: string, begins: number, lasts: number])[] = [
    ["40 percent of a lifetime, over the time of the renewal", 0.25, 0.4],
    ["80 percent of a lifetime, beginning just after a rotation", 0, 0.8],
    ["40 percent of a lifetime, beginning just before a renewal is due", 0.47, 0.4],
    ["40 percent of a lifetime, until just when a renewal is due", 0.1, 0.4],
    ["40 percent of a lifetime, beginning late", 0.38, 0.4],
  ];

  test.each(moments)("loses no request while Vault is sealed for %s", async (_when, begins, lasts) => {
    await survive({ begins, lasts }, sealed);
  });

  test("loses no request when Vault is killed, started again and unsealed", async () => {
    await survive({ begins: 0.3, lasts: 0.4 }, async (ends) => {
      await mesh.operator.kill();
      await mesh.untilCanSign(false);
      await sleepUntilInstant(ends - 0.1 * lifetimeMs);
      await mesh.operator.start();
      expect(await mesh.canSign()).toBe(false);
      await sleepUntilInstant(ends);
      await mesh.operator.unseal();
    });
  });

  test("loses no request when the CA server is killed and started again while Vault is sealed", async () => {
    await survive({ begins: 0.2, lasts: 0.4 }, async (ends) => {
      await mesh.operator.seal();
      await mesh.killCaServer();
      await expect(mesh.canSign()).rejects.toThrow();
      await mesh.restartCaServer();
      expect(await mesh.canSign()).toBe(false);
      await sleepUntilInstant(ends);
      expect(await mesh.canSign()).toBe(false);
      await mesh.operator.unseal();
    });
  });

  test("and at the end of all that Vault knows every certificate that was shown", async () => {
    expect(await mesh.endTraffic()).toMatchObject({ failures: 0, connectionsLost: 0, reasons: [] });
    const log = await mesh.ca.log?.signatures();
    const signed = new Set(log?.map(({ serial }) => serial));
    for (const name of ["frontend", "backend"] as const) {
      const { serials, issuers } = mesh.sightings.of(name);
      expect(serials.filter((serial) => !signed.has(serial))).toEqual([]);
      expect([...issuers]).toEqual([mesh.ca.issuer]);
      expect(serials.length).toBeGreaterThan(moments.length);
    }
  });
});
