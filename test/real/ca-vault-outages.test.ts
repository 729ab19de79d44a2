import {
  issuerBundle,
  type RunningVaultCa,
  readDocumentedAccess,
  setVaultStage,
  untilReady,
  type VaultStage,
} from "@signet/ca-vault/testing";
import { testRoot } from "@signet/x509/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Fault, type FaultProxy, startFaultProxy } from "./support/fault-proxy.ts";
import { findTestVault, type VaultServer } from "./support/vault-server.ts";

const found = await findTestVault();
const acceptable = new Set(["issued", "signer-unavailable", "overloaded"]);

describe.skipIf(found.skippedOwn)(`the wire between a signing CA and Vault ${found.skippedOwn}`, () => {
  let vault: VaultServer;
  let stage: VaultStage;
  let proxy: FaultProxy;
  let running: RunningVaultCa;

  beforeAll(async () => {
    vault = await found.start();
  });

  afterAll(() => vault?.close());

  beforeEach(async () => {
    proxy = await startFaultProxy({ port: Number(new URL(vault.address).port) });
    ({ stage, running } = await openCa(vault, `https://127.0.0.1:${proxy.port}`, 1000));
  });

  afterEach(async () => {
    proxy.set({ kind: "pass" });
    await stage.close();
    await proxy.close();
  });

  test.each<[Fault, string]>([
    [{ kind: "latency", ms: 50 }, "issued"],
    [{ kind: "latency", ms: 3000 }, "signer-unavailable"],
    [{ kind: "half-open" }, "signer-unavailable"],
    [{ kind: "reset" }, "signer-unavailable"],
    [{ kind: "reset", afterBytes: 100 }, "signer-unavailable"],
    [{ kind: "truncate", afterBytes: 100 }, "signer-unavailable"],
    [{ kind: "garbage" }, "signer-unavailable"],
  ])("with %j: nothing wrong is issued, and all is well when it is over", async (fault, wanted) => {
    proxy.set(fault);
    const outcomes: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      outcomes.push(...(await Promise.all(Array.from({ length: 8 }, () => running.outcome()))));
    }
    expect(new Set(outcomes)).toEqual(new Set([wanted]));
    expect(proxy.open).toBeLessThan(64);
    proxy.set({ kind: "pass" });
    await running.untilIssued();
    await running.untilHealth("good");
  });

  test("that comes and goes: nothing wrong is issued", async () => {
    const faults: readonly Fault[] = [
      { kind: "reset" },
      { kind: "pass" },
      { kind: "truncate", afterBytes: 900 },
      { kind: "pass" },
    ];
    const outcomes: Promise<string>[] = [];
    for (let round = 0; round < 40; round += 1) {
      proxy.set(faults[round % faults.length] ?? { kind: "pass" });
      outcomes.push(running.outcome(), running.outcome());
      await outcomes.at(-1);
    }
    expect([...new Set(await Promise.all(outcomes))].filter((outcome) => !acceptable.has(outcome))).toEqual([]);
    proxy.set({ kind: "pass" });
    await running.untilIssued();
  });

  test("to a Vault that stands still: it is found again when it goes on", async () => {
    vault.own?.pause();
    try {
      expect(await running.outcome()).toBe("signer-unavailable");
      expect(await running.outcome()).toBe("signer-unavailable");
    } finally {
      vault.own?.resume();
    }
    await running.untilIssued();
  });

  test("to a Vault that is killed, started and unsealed", async () => {
    await vault.own?.kill();
    for (let call = 0; call < 6; call += 1) expect(await running.outcome()).toBe("signer-unavailable");
    await running.untilHealth("vault-unreachable");
    await vault.own?.start();
    await running.untilOutcome("signer-unavailable", "vault-sealed");
    await vault.own?.unseal();
    await running.untilIssued();
    await running.untilHealth("good");
  });
});

describe.skipIf(found.skippedOwn)(`a signing CA and two nodes of Vault ${found.skippedOwn}`, () => {
  let vault: VaultServer;

  beforeAll(async () => {
    vault = await found.start({ nodes: 2 });
  });

  afterAll(() => vault?.close());

  test("a standby signs, by way of the active node, and goes on when it becomes that itself", async () => {
    const { stage, running } = await openCa(vault, vault.addresses[1] ?? "", 5000);
    try {
      expect(await running.outcome()).toBe("issued");
      await vault.own?.stepDown(0);
      await running.untilIssued();
      await running.untilHealth("good");
      await vault.own?.stepDown(1);
      await running.untilIssued();
    } finally {
      await stage.close();
    }
  });

  test("without an active node there is an outage, and no more than that", async () => {
    const { stage, running } = await openCa(vault, vault.addresses[1] ?? "", 1000);
    try {
      // One of two is no quorum.
      vault.own?.pause(0);
      await running.untilOutcome("signer-unavailable");
      vault.own?.resume(0);
      await running.untilIssued();
      await running.untilHealth("good");
    } finally {
      vault.own?.resume(0);
      await stage.close();
    }
  });
});

/** A CA that talks to Vault at an address of its own and is ready. */
async function openCa(
  { address, caPem, rootToken, own }: VaultServer,
  through: string,
  timeoutMs: number,
): Promise<{ stage: VaultStage; running: RunningVaultCa }> {
  const seal = own && { seal: () => own.seal(), unseal: () => own.unseal() };
  const stage = await setVaultStage({ address, caPem, rootToken, ...seal }, readDocumentedAccess());
  await stage.importIssuers(issuerBundle(await testRoot()));
  const running = await stage.open({ address: through, timeoutMs });
  await untilReady(running);
  return { stage, running };
}
