import { type CaState, loadSelfSignedCa } from "@signet/ca";
import type { KubernetesApi, Secret } from "@signet/kubernetes";
import type { TrustDomain } from "@signet/spiffe";
import type { KeyType } from "@signet/x509";
import { CaKubernetesError } from "./errors.ts";
import { followSecret } from "./follow-secret.ts";
import { offerFiles, openFiles } from "./offer-files.ts";
import { retryStart } from "./retry-start.ts";
import type { SecretCa, SecretCaDependencies } from "./secret-ca.ts";
import { describePlace, filesOfState, stateOfSecret } from "./secret-layout.ts";
import { createSecretState, type SecretStateOptions } from "./secret-state.ts";

/** Where a self-signed CA is kept, and what it is like when it has to be made. */
export type SelfSignedSecretCaOptions = SecretStateOptions & {
  readonly api: KubernetesApi;
  /** Becomes the organization of a new root. */
  readonly trustDomain: TrustDomain;
  /** Of a new root; Istio's is RSA-2048. */
  readonly keyType: KeyType;
  /** Lifetime of a new root; Istio's is 87600 hours. */
  readonly ttlMs: number;
  /** How long a start waits for the API server, in milliseconds; default 20 minutes, as istiod. */
  readonly startDeadlineMs?: number;
  /** How long a missing Secret must stay missing before a root is made, in milliseconds; default 1000. */
  readonly settleMs?: number;
};

const defaultSettleMs = 1_000;

/**
 * Returns the self-signed CA that a Secret keeps; where there is none, makes a root, saves it, and signs with what the
 * Secret then holds, so that replicas which start at the same instant have one root.
 *
 * A missing Secret is looked for once more after a short while: replicas that run write a deleted one back at once. An
 * API server that does not answer, or does not allow it yet, is asked again with growing waits. A Secret whose CA
 * cannot be used is an error and is never replaced: every workload trusts the old one.
 * @throws CaError `ca-material-invalid`; CaKubernetesError `secret-foreign`, `secret-unavailable`; rejects with
 *   `signal.reason` on abort
 * @example
 * ```ts
 * import { openSelfSignedSecretCa, type SecretCaDependencies } from "@signet/ca-kubernetes";
 * import type { KubernetesApi } from "@signet/kubernetes";
 * import { parseTrustDomain } from "@signet/spiffe";
 * export function openCa(api: KubernetesApi, dependencies: SecretCaDependencies, signal: AbortSignal) {
 *   const place = { namespace: "istio-system", name: "istio-ca-secret" } as const;
 *   const root = { trustDomain: parseTrustDomain("cluster.local"), keyType: "RSA-2048", ttlMs: 315_360_000_000 } as const;
 *   return openSelfSignedSecretCa({ api, ...place, ...root }, dependencies, signal);
 * }
 * ```
 */
export async function openSelfSignedSecretCa(
  options: SelfSignedSecretCaOptions,
  dependencies: SecretCaDependencies,
  signal: AbortSignal,
): Promise<SecretCa> {
  const { api, startDeadlineMs: deadlineMs } = options;
  const attempt = createAttempt(options, dependencies, signal);
  const found = await retryStart({ secret: describePlace(options), attempt, deadlineMs }, dependencies, signal);
  const place = { namespace: options.namespace, name: found.secret.metadata.name };
  const signingCa = openFiles({ name: "self-signed", files: filesOfState(found.state), place }, dependencies);
  const offer = (secret: Secret): boolean =>
    offerFiles(signingCa, place, () => filesOfState(stateOfSecret(secret, place)));
  const task = followSecret({ api, place, offer, restore: found.secret }, dependencies);
  return { signingCa, secret: describePlace(place), task };
}

type FoundState = { readonly state: CaState; readonly secret: Secret };

/** One attempt to load the CA, or to make it once its Secret has been missing for long enough. */
function createAttempt(
  options: SelfSignedSecretCaOptions,
  { clock, randomBytes, events }: SecretCaDependencies,
  signal: AbortSignal,
): () => Promise<FoundState> {
  const store = createSecretState(options.api, options, signal);
  const { trustDomain, keyType, ttlMs, settleMs = defaultSettleMs } = options;
  let settled = false;

  return async () => {
    let state = await store.load();
    if (state === undefined && !settled) {
      await clock.sleep(settleMs, signal);
      settled = true;
      state = await store.load();
    }
    if (state === undefined) {
      const save = async (made: CaState): Promise<void> => {
        await store.save(made);
        state = made;
        events.created({ secret: describePlace(options) });
      };
      await loadSelfSignedCa(
        { store: { load: store.load, save }, trustDomain, keyType, ttlMs },
        { clock, randomBytes },
      );
      state ??= await store.load();
    }
    const secret = store.secret();
    // Deleted between two calls; whoever is next makes it anew.
    if (state === undefined || secret === undefined) {
      throw new CaKubernetesError("secret-taken", `Secret ${describePlace(options)} came and went`);
    }
    return { state, secret };
  };
}
