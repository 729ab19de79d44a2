import { createCanary, createFailoverGroup } from "@signet/ca";
import { createVaultCa } from "@signet/ca-vault";
import { RuntimeError } from "@signet/runtime";
import type { SigningCaChoice } from "./settings/read-signing.ts";
import { openIstioCa } from "./signing/istio-ca.ts";
import type { OpenedSigningCa, SigningCaDependencies, SigningCaSettings } from "./signing/opened-signing-ca.ts";

/**
 * Opens what signs: the CA that was chosen, or it and its standby as one.
 *
 * What it needs may be away: then it is not ready, and becomes so by its tasks.
 * @throws CaServerError, CaError `ca-material-invalid`, VaultError `config-invalid`, RuntimeError `locked`
 */
export async function openSigningCa(
  settings: SigningCaSettings,
  dependencies: SigningCaDependencies,
): Promise<OpenedSigningCa> {
  const { primary, standby } = settings.signing;
  const first = await openChoice(primary, settings, dependencies);
  if (standby === undefined) return first;
  try {
    const second = await openChoice(standby, settings, dependencies);
    return await openGroup({ first, second }, settings, dependencies);
  } catch (error) {
    await first.release();
    throw error;
  }
}

async function openChoice(
  choice: SigningCaChoice,
  settings: SigningCaSettings,
  dependencies: SigningCaDependencies,
): Promise<OpenedSigningCa> {
  return choice === "vault" ? await openVaultCa(settings, dependencies) : await openIstioCa(settings, dependencies);
}

async function openVaultCa(
  { signing: { vault } }: SigningCaSettings,
  { clock, random, events }: SigningCaDependencies,
): Promise<OpenedSigningCa> {
  if (vault === undefined) throw new RuntimeError("argument-invalid", "Vault is to sign, and VAULT_ADDR is not set");
  const signingCa = await createVaultCa(vault, { clock, random, events: events.vault });
  return {
    ...{ signingCa, servingCa: signingCa, probe: "canary", origin: vault.address, tasks: signingCa.tasks },
    release: async () => signingCa.close(),
  };
}

async function openGroup(
  { first, second }: { readonly first: OpenedSigningCa; readonly second: OpenedSigningCa },
  { trustDomain }: SigningCaSettings,
  { clock, random, events }: SigningCaDependencies,
): Promise<OpenedSigningCa> {
  const canary = await createCanary({ trustDomain });
  const members = { primary: first.signingCa, standby: second.signingCa, canary };
  // Where each canary is an object in the cluster.
  const patience = [first, second].some(({ probe }) => probe === "health") ? { intervalMs: 60_000 } : {};
  const signingCa = createFailoverGroup({ ...members, ...patience }, { clock, random, events: events.failover });
  // A member that signs no DNS names has another CA beside it for them.
  const servingCa = [first, second].find((member) => member.servingCa !== member.signingCa)?.servingCa ?? signingCa;
  const admission = first.admission ?? second.admission;
  return {
    // It has canaries signed itself.
    ...{ signingCa, servingCa, probe: "health", origin: `${first.origin}, standby ${second.origin}` },
    ...(admission !== undefined && { admission }),
    tasks: [...first.tasks, ...second.tasks, signingCa.task],
    async release(): Promise<void> {
      await Promise.allSettled([first.release(), second.release()]);
    },
  };
}
