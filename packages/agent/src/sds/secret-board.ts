import { createSource, type Source } from "@signet/runtime";
import type { SecretName } from "./secret-names.ts";
import type { SdsSecret, SecretSnapshot } from "./secret-stream.ts";

/** Where secrets of different origins are put, and from where they are served together. */
export interface SecretBoard {
  readonly snapshots: Source<SecretSnapshot>;
  /**
   * Replaces all secrets of one origin at once. `make` is given the version of the snapshot that they will be part of, to be
   * the revision of what has changed.
   */
  replace(origin: SecretOrigin, make: (version: string) => ReadonlyMap<SecretName, SdsSecret>): void;
}

/** Who owns some of the names; no name has two owners. */
export type SecretOrigin = "identity" | "files";

/** Returns a board without secrets; `versionPrefix` must differ between two starts, since clients carry versions across them. */
export function createSecretBoard(versionPrefix: string): SecretBoard {
  const snapshots = createSource<SecretSnapshot>();
  const origins = new Map<SecretOrigin, ReadonlyMap<SecretName, SdsSecret>>();
  let count = 0;
  return {
    snapshots,
    replace(origin, make) {
      count += 1;
      const version = `${versionPrefix}/${count}`;
      origins.set(origin, make(version));
      snapshots.publish({ version, secrets: new Map([...origins.values()].flatMap((secrets) => [...secrets])) });
    },
  };
}
