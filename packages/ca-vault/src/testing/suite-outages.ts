import assert from "node:assert/strict";
import { testRoot } from "@signet/x509/testing";
import { issuerBundle } from "./issuer-bundle.ts";
import { type RunningVaultCa, untilReady } from "./running-vault-ca.ts";
import type { OnStage } from "./vault-ca-suite.ts";
import type { VaultStage } from "./vault-stage.ts";

/** Vault that does not serve, for a while. */
export function outageTests(onStage: OnStage): void {
  sealTests(onStage);
  quotaTests(onStage);
}

async function ready(stage: VaultStage): Promise<RunningVaultCa> {
  await stage.importIssuers(issuerBundle(await testRoot()));
  const running = await stage.open();
  await untilReady(running);
  await running.untilHealth("good");
  return running;
}

function sealTests(onStage: OnStage): void {
  onStage("says that Vault is sealed, and signs again without a hand once it is not", async (stage) => {
    const { seal, unseal } = stage.vault;
    assert(seal !== undefined && unseal !== undefined);
    const running = await ready(stage);
    const before = running.ca.trustBundle.current();
    await seal();
    try {
      for (let call = 0; call < 6; call += 1) assert.equal(await running.outcome(), "signer-unavailable");
      assert.equal((await running.untilHealth("vault-sealed")).state, "failing");
      assert.equal(running.ca.trustBundle.current(), before);
    } finally {
      await unseal();
    }
    await running.untilIssued();
    await running.untilHealth("good");
  });

  onStage("starts while Vault is sealed, and is ready once it is not", async (stage) => {
    const { seal, unseal } = stage.vault;
    assert(seal !== undefined && unseal !== undefined);
    await stage.importIssuers(issuerBundle(await testRoot()));
    const token = await stage.createToken();
    await seal();
    try {
      const running = await stage.open({ auth: { kind: "token", token } });
      await running.untilHealth("vault-sealed");
      assert.equal(await running.outcome(), "ca-not-ready");
      await unseal();
      await running.untilHealth("good");
      await running.untilIssued();
    } finally {
      await unseal();
    }
  });
}

function quotaTests(onStage: OnStage): void {
  onStage("waits as long as Vault asks when a quota is used up, and signs then", async (stage) => {
    const running = await ready(stage);
    await withQuota(stage, { rate: 2, interval: "1s" }, async () => {
      const outcomes = await Promise.all(Array.from({ length: 5 }, () => running.outcome()));
      assert.deepEqual(new Set(outcomes), new Set(["issued"]));
      const calls = running.events.all.filter((event) => event.kind === "called" && event.outcome === "rate-limited");
      assert(calls.length > 0);
    });
  });

  onStage("does not ask again before the time that Vault has named", async (stage) => {
    const running = await ready(stage);
    await withQuota(stage, { rate: 1, interval: "60s" }, async () => {
      const outcomes = [await running.outcome(), await running.outcome(), await running.outcome()];
      assert.deepEqual(outcomes, ["issued", "signer-unavailable", "signer-unavailable"]);
      const calls = running.events.all.filter((event) => event.kind === "called" && event.operation === "sign");
      assert.equal(calls.length, 2);
      assert.equal((await running.untilHealth("rate-limited")).state, "degraded");
    });
  });
}

async function withQuota(
  { operator, mount }: VaultStage,
  quota: { readonly rate: number; readonly interval: string },
  test: () => Promise<void>,
): Promise<void> {
  const path = `sys/quotas/rate-limit/${mount}-sign`;
  await operator.write("sys/quotas/config", { enable_rate_limit_response_headers: true });
  await operator.write(path, { ...quota, path: `${mount}/sign/signet` });
  try {
    await test();
  } finally {
    await operator.remove(path);
    await operator.write("sys/quotas/config", { enable_rate_limit_response_headers: false });
  }
}
