import {
  createSource,
  directoriesOf,
  errorMessage,
  isFileMissing,
  readFileCapped,
  type Source,
  type Task,
  type WatchFilesDependencies,
  watchFiles,
} from "@signet/runtime";
import { trustDomainOf } from "@signet/spiffe";
import { certificatePem, parseTrustBundle, type TrustBundle, trustBundlesEqual } from "@signet/x509";
import type { WorkloadIdentity } from "./workload-identity.ts";

export type TrustBundleSourceOptions = {
  /** The identity with the bundle that came with it. */
  readonly identity: Source<WorkloadIdentity>;
  /** The mesh's roots as they are mounted into the pod. */
  readonly rootFile: string;
};

/** What happens to the mounted roots, for logs. */
export interface TrustBundleEvents {
  /** There are roots in the file that did not come with the SVID; peers that show certificates of theirs are believed. */
  rootsAdded(event: {
    readonly path: string;
    readonly authorities: readonly TrustBundle["authorities"][number][];
  }): void;
  /** The file cannot be read; the roots that were in it stay. Told once, and again when the reason changes. */
  rootsUnreadable(event: { readonly path: string; readonly error: unknown }): void;
}

const maxBytes = 1_048_576;

/**
 * The identity with the roots of a mounted file added to its trust bundle, so that a new root reaches every consumer when it is
 * published and not only when the next SVID comes.
 *
 * The file is the mesh's own, by which the CA is known as well. Roots are added and never taken away by it: which ones are over
 * is said by the CA with the next SVID. What cannot be read leaves those that were in it.
 */
export function withMountedRoots(
  { identity, rootFile }: TrustBundleSourceOptions,
  { events, ...dependencies }: WatchFilesDependencies & { readonly events: TrustBundleEvents },
): { readonly identity: Source<WorkloadIdentity>; readonly tasks: readonly Task[] } {
  const start = identity.current();
  const served = createSource<WorkloadIdentity>(start);
  let mounted: TrustBundle | undefined;
  let told: string | undefined;

  function publish(): void {
    const current = identity.current();
    if (current === undefined) return;
    const next = merge(current, mounted);
    const before = served.current();
    if (before === undefined || before.svid !== next.svid || !sameBundle(before, next)) served.publish(next);
  }

  async function look(): Promise<void> {
    try {
      const found = parseTrustBundle((await readFileCapped(rootFile, maxBytes)).toString("utf8"));
      told = undefined;
      if (mounted !== undefined && trustBundlesEqual(mounted, found)) return;
      mounted = found;
      const current = identity.current();
      const added = current === undefined ? [] : missingIn(bundleOf(current), found);
      if (added.length > 0) events.rootsAdded({ path: rootFile, authorities: added });
      publish();
    } catch (error) {
      const reason = errorMessage(error);
      // Where there is no such file nobody has mounted one.
      if (!(isFileMissing(error) && mounted === undefined) && reason !== told) {
        events.rootsUnreadable({ path: rootFile, error });
      }
      told = reason;
    }
  }

  const directories = (): Promise<readonly string[]> => directoriesOf([rootFile]);
  const follow: Task = {
    name: "follow identity",
    async run(signal) {
      for await (const _ of identity.changes(signal)) publish();
    },
  };
  return {
    identity: served,
    tasks: [follow, watchFiles({ name: "watch mounted roots", directories, look }, dependencies).task],
  };
}

function bundleOf({ svid, trustBundles }: WorkloadIdentity): TrustBundle | undefined {
  return trustBundles.get(trustDomainOf(svid.spiffeId));
}

function sameBundle(one: WorkloadIdentity, other: WorkloadIdentity): boolean {
  const [before, after] = [bundleOf(one), bundleOf(other)];
  return before !== undefined && after !== undefined && trustBundlesEqual(before, after);
}

function missingIn(bundle: TrustBundle | undefined, found: TrustBundle): TrustBundle["authorities"] {
  const known = new Set((bundle?.authorities ?? []).map(certificatePem));
  return found.authorities.filter((authority) => !known.has(certificatePem(authority)));
}

function merge(identity: WorkloadIdentity, mounted: TrustBundle | undefined): WorkloadIdentity {
  const bundle = bundleOf(identity);
  const added = mounted === undefined ? [] : missingIn(bundle, mounted);
  if (bundle === undefined || added.length === 0) return identity;
  const merged: TrustBundle = {
    authorities: [...bundle.authorities, ...added],
    pem: [bundle.pem.trimEnd(), "\n", ...added.map(certificatePem)].join(""),
    skipped: bundle.skipped,
  };
  const trustBundles = new Map(identity.trustBundles).set(trustDomainOf(identity.svid.spiffeId), merged);
  return { ...identity, trustBundles };
}
