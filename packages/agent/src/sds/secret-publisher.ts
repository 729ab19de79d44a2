import { createSource, type Source, type Task } from "@signet/runtime";
import { trustDomainOf } from "@signet/spiffe";
import { type TrustBundle, trustBundlesEqual } from "@signet/x509";
import type { WorkloadIdentity } from "../identity/workload-identity.ts";
import { type PrivateKeyFormat, trustBundleSecret, workloadSecret } from "./envoy-secret.ts";
import { type SecretName, trustBundleSecretName, workloadSecretName } from "./secret-names.ts";
import type { SdsSecret, SecretSnapshot } from "./secret-stream.ts";

export type SecretPublisherOptions = {
  readonly identity: Source<WorkloadIdentity>;
  /** Begins every version; must differ between two starts, since clients carry versions across a restart. */
  readonly versionPrefix: string;
  readonly keyFormat: PrivateKeyFormat;
  readonly onBundleChange?: (bundle: TrustBundle) => void;
};

/**
 * The secrets of the current identity, made once per identity however many streams there are.
 *
 * `task` follows the identity; it is the only writer, so versions rise in the order in which identities were published.
 */
export function createSecretPublisher(options: SecretPublisherOptions): {
  readonly snapshots: Source<SecretSnapshot>;
  readonly task: Task;
} {
  const snapshots = createSource<SecretSnapshot>();
  const run = async (signal: AbortSignal): Promise<void> => {
    let previous: Publication | undefined;
    for await (const identity of options.identity.changes(signal)) {
      previous = nextPublication(previous, identity, options);
      snapshots.publish(previous.snapshot);
    }
  };
  return { snapshots, task: { name: "publish secrets", run } };
}

type Publication = {
  readonly identity: WorkloadIdentity;
  readonly bundle: TrustBundle | undefined;
  readonly count: number;
  readonly snapshot: SecretSnapshot;
};

function nextPublication(
  previous: Publication | undefined,
  identity: WorkloadIdentity,
  options: SecretPublisherOptions,
): Publication {
  const count = (previous?.count ?? 0) + 1;
  const version = `${options.versionPrefix}/${count}`;
  const secrets = new Map<SecretName, SdsSecret>();
  const sameSvid = previous?.identity.svid === identity.svid;
  secrets.set(
    workloadSecretName,
    (sameSvid ? previous.snapshot.secrets.get(workloadSecretName) : undefined) ?? {
      revision: version,
      resource: workloadSecret(identity.svid, options.keyFormat),
    },
  );
  const bundle = identity.trustBundles.get(trustDomainOf(identity.svid.spiffeId));
  if (bundle === undefined) return { identity, bundle, count, snapshot: { version, secrets } };
  const sameBundle = previous?.bundle !== undefined && trustBundlesEqual(previous.bundle, bundle);
  secrets.set(
    trustBundleSecretName,
    (sameBundle ? previous.snapshot.secrets.get(trustBundleSecretName) : undefined) ?? {
      revision: version,
      resource: trustBundleSecret(bundle),
    },
  );
  if (!sameBundle) options.onBundleChange?.(bundle);
  return { identity, bundle, count, snapshot: { version, secrets } };
}
