import { type KubernetesApi, KubernetesError, type Mirror, mirror, resources, type Secret } from "@signet/kubernetes";
import { type Clock, createBackoff, type Random, type Task } from "@signet/runtime";
import type { SecretCaEvents } from "./secret-ca.ts";
import { describePlace, type SecretPlace } from "./secret-layout.ts";
import { createTokenBucket } from "./token-bucket.ts";

/** Which Secret is followed, and what is done with what it says. */
export type FollowedSecret = {
  readonly api: KubernetesApi;
  readonly place: SecretPlace;
  /** Called with the Secret as first seen and after each change; whether it holds what the CA now uses. */
  readonly offer: (secret: Secret) => boolean;
  /** The last Secret that was good, which is written back when the Secret is deleted; undefined leaves it deleted. */
  readonly restore: Secret | undefined;
};

/** What following needs. */
export type FollowSecretDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: SecretCaEvents;
};

/** A Secret that is deleted again and again is written back three times at once, and then every half minute. */
const restoreLimit = { burst: 3, intervalMs: 30_000 };

/**
 * Returns a task that offers every change of a Secret, and writes a deleted one back.
 *
 * Deletion is never offered: a CA that runs keeps its key. What is written back is the last Secret that was good, byte
 * for byte, so replicas that do it at once do the same, and the later ones find it done.
 */
export function followSecret(followed: FollowedSecret, dependencies: FollowSecretDependencies): Task {
  const { api, place, offer } = followed;
  const { clock, random, events } = dependencies;
  const secret = describePlace(place);
  const copy = mirror(
    api,
    {
      resource: resources.secrets,
      query: { namespace: place.namespace, fieldSelector: `metadata.name=${place.name}` },
      pick: (object): Secret => object,
    },
    { clock, random },
  );
  const bucket = createTokenBucket(restoreLimit, clock);
  let good = followed.restore;

  async function follow(signal: AbortSignal): Promise<void> {
    let seen: Secret | undefined;
    let missing = false;
    for await (const { synced } of copy.changes.changes(signal)) {
      if (!synced) continue;
      const found = copy.get(place);
      if (found !== undefined && found !== seen) {
        if (offer(found) && good !== undefined) good = found;
        seen = found;
      }
      if (found === undefined && !missing) events.secretMissing({ secret });
      missing = found === undefined;
      if (missing && good !== undefined) await writeBack(good, signal);
    }
  }

  async function writeBack(last: Secret, signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ initialMs: 1_000, maxMs: 60_000, minMs: 250 }, random);
    while (isMissing(copy, place)) {
      await bucket.take(signal);
      try {
        await api.create(resources.secrets, bareSecret(last, place), signal);
        events.secretRestored({ secret });
        return;
      } catch (error) {
        if (!(error instanceof KubernetesError)) throw error;
        if (error.code === "already-exists") return;
        const retryMs = backoff.nextMs();
        events.restoreFailed({ secret, error, retryMs });
        await clock.sleep(retryMs, signal);
      }
    }
  }

  return {
    name: `secret ${secret}`,
    async run(signal): Promise<void> {
      await Promise.all([copy.task.run(signal), follow(signal)]);
    },
  };
}

/** While the copy cannot be believed nothing is known to be missing. */
function isMissing(copy: Mirror<Secret>, place: SecretPlace): boolean {
  return copy.synced() && copy.get(place) === undefined;
}

/** What of a Secret belongs to the CA: not its annotations, which tell of tools, and may repeat its content. */
function bareSecret({ type, data, metadata: { labels } }: Secret, { namespace, name }: SecretPlace): Secret {
  return {
    metadata: { namespace, name, ...(labels === undefined ? {} : { labels }) },
    ...(type === undefined ? {} : { type }),
    ...(data === undefined ? {} : { data }),
  };
}
