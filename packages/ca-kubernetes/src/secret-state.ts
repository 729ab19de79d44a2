import type { CaState, CaStateStore } from "@signet/ca";
import { type KubernetesApi, KubernetesError, resources, type Secret } from "@signet/kubernetes";
import { CaKubernetesError } from "./errors.ts";
import { describePlace, secretOfState, stateOfSecret } from "./secret-layout.ts";

/** Where a self-signed CA is kept. */
export type SecretStateOptions = {
  /** Istio's is "istio-system". */
  readonly namespace: string;
  /** The Secret that a new CA is saved in; an `istio-ca-secret` that is there already counts before `cacerts`. */
  readonly name: "istio-ca-secret" | "cacerts";
};

/** The state of a self-signed CA in a Secret. */
export interface SecretState extends CaStateStore {
  /** The Secret that the state was last loaded from or saved in. */
  secret(): Secret | undefined;
}

/**
 * Returns a state store that keeps a self-signed CA in a Secret, in the layout of istiod, which could read it as well.
 *
 * Of several replicas that save at once exactly one succeeds; the others get `secret-taken` and load what that one
 * saved. A Secret that exists is never changed.
 * @throws from `save` CaKubernetesError `secret-taken`; from `load` `secret-foreign`; from both KubernetesError
 * @example
 * ```ts
 * import { createSecretState } from "@signet/ca-kubernetes";
 * import type { KubernetesApi } from "@signet/kubernetes";
 * export async function hasCa(api: KubernetesApi, signal: AbortSignal): Promise<boolean> {
 *   const state = createSecretState(api, { namespace: "istio-system", name: "istio-ca-secret" }, signal);
 *   return (await state.load()) !== undefined;
 * }
 * ```
 */
export function createSecretState(api: KubernetesApi, options: SecretStateOptions, signal: AbortSignal): SecretState {
  const { namespace, name } = options;
  const names = name === "cacerts" ? ["istio-ca-secret", "cacerts"] : [name];
  let latest: Secret | undefined;

  return {
    secret: () => latest,
    async load(): Promise<CaState | undefined> {
      for (const candidate of names) {
        const place = { namespace, name: candidate };
        const secret = await api.read(resources.secrets, place, signal);
        if (secret === undefined) continue;
        const state = stateOfSecret(secret, place);
        latest = secret;
        return state;
      }
      return undefined;
    },
    async save(state): Promise<void> {
      const place = { namespace, name };
      try {
        latest = await api.create(resources.secrets, secretOfState(state, place), signal);
      } catch (error) {
        if (!(error instanceof KubernetesError) || error.code !== "already-exists") throw error;
        const message = `another replica saved its CA in Secret ${describePlace(place)} first`;
        throw new CaKubernetesError("secret-taken", message, { cause: error });
      }
    },
  };
}
