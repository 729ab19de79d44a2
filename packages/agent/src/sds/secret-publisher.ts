import type { Source, Task } from "@signet/runtime";
import { trustDomainOf } from "@signet/spiffe";
import { type TrustBundle, trustBundlesEqual } from "@signet/x509";
import type { WorkloadIdentity } from "../identity/workload-identity.ts";
import { type PrivateKeyFormat, trustBundleSecret, workloadSecret } from "./envoy-secret.ts";
import type { SecretBoard } from "./secret-board.ts";
import { type SecretName, trustBundleSecretName, workloadSecretName } from "./secret-names.ts";
import type { SdsSecret } from "./secret-stream.ts";

export type SecretPublisherOptions = {
  readonly identity: Source<WorkloadIdentity>;
  readonly board: SecretBoard;
  readonly keyFormat: PrivateKeyFormat;
  readonly onBundleChange?: (bundle: TrustBundle) => void;
};

/**
 * The task that puts the secrets of the current identity on the board, made once per identity however many streams there are.
 *
 * It is the only writer of these, so versions rise in the order in which identities were published.
 */
export function createSecretPublisher(options: SecretPublisherOptions): Task {
  const run = async (signal: AbortSignal): Promise<void> => {
    let previous: Publication | undefined;
    for await (const identity of options.identity.changes(signal)) {
      options.board.replace("identity", (version) => {
        previous = nextPublication(previous, { identity, version }, options);
        return previous.secrets;
      });
    }
  };
  return { name: "publish secrets", run };
}

type Publication = {
  readonly identity: WorkloadIdentity;
  readonly bundle: TrustBundle | undefined;
  readonly secrets: ReadonlyMap<SecretName, SdsSecret>;
};

function nextPublication(
  previous: Publication | undefined,
  { identity, version }: { readonly identity: WorkloadIdentity; readonly version: string },
  options: SecretPublisherOptions,
): Publication {
  const secrets = new Map<SecretName, SdsSecret>();
  const sameSvid = previous?.identity.svid === identity.svid;
  secrets.set(
    workloadSecretName,
    (sameSvid ? previous.secrets.get(workloadSecretName) : undefined) ?? {
      revision: version,
      resource: workloadSecret(identity.svid, options.keyFormat),
    },
  );
  const bundle = identity.trustBundles.get(trustDomainOf(identity.svid.spiffeId));
  if (bundle === undefined) return { identity, bundle, secrets };
  const sameBundle = previous?.bundle !== undefined && trustBundlesEqual(previous.bundle, bundle);
  secrets.set(
    trustBundleSecretName,
    (sameBundle ? previous.secrets.get(trustBundleSecretName) : undefined) ?? {
      revision: version,
      resource: trustBundleSecret(bundle),
    },
  );
  if (!sameBundle) options.onBundleChange?.(bundle);
  return { identity, bundle, secrets };
}
