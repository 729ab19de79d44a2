import { type Clock, directoriesOf, type Task, watchFiles } from "@signet/runtime";
import { certificateSecret, rootsSecret } from "./envoy-secret.ts";
import { type FileMaterial, readSecretFiles } from "./read-secret-files.ts";
import type { SecretBoard } from "./secret-board.ts";
import { type FileReference, parseSecretName, type SecretName } from "./secret-names.ts";
import type { SdsSecret } from "./secret-stream.ts";

/** What happens to secrets that are read from files; `name` is the client's, and bounded. */
export interface FileSecretEvents {
  /** There is new material, of a name that is followed. */
  loaded(event: { readonly name: SecretName }): void;
  /** Files cannot be used; what was read of them before stays. Told once, and again when the reason changes. */
  unusable(event: { readonly name: SecretName; readonly error: unknown }): void;
  /** More names are asked for than are followed; the name gets nothing. */
  tooMany(event: { readonly name: SecretName; readonly limit: number }): void;
}

/** Secrets that are read from files for as long as somebody follows them. */
export interface FileSecrets {
  readonly task: Task;
  /** Says which names one follower wants from now on; others than those of files are passed over. None ends it. */
  follow(follower: string, names: Iterable<SecretName>): void;
  /** Resolves once each of the names that is read from files has been read, or cannot be. */
  settled(names: readonly SecretName[]): Promise<void>;
}

/** Names that are followed at one time: a gateway has some dozens, and whoever opens the socket chooses them. */
const maxNames = 512;

/** How often files are looked at without a notice of the system. */
const pollMs = 10_000;

type Followed = {
  readonly reference: FileReference;
  readonly followers: Set<string>;
  material?: { readonly of: FileMaterial; readonly secret: SdsSecret };
  problem?: string;
  reading: Promise<void>;
};

/**
 * Returns the secrets of the files that clients ask for by name, put on `board`.
 *
 * A name is read when it is first asked for, and again whenever its files may have changed, through links too, so that a kubelet
 * may swap a volume. What was read stays until there is something that can be used in its place. A name that nobody follows any
 * more is forgotten.
 */
export function createFileSecrets(
  { board }: { readonly board: SecretBoard },
  { clock, events }: { readonly clock: Clock; readonly events: FileSecretEvents },
): FileSecrets {
  const followed = new Map<SecretName, Followed>();
  const refused = new Set<SecretName>();
  const watch = watchFiles(
    {
      name: "watch secret files",
      directories: () => directoriesOf([...followed.values()].flatMap(({ reference }) => pathsOf(reference))),
      look: async () => {
        for (const [name, entry] of followed) {
          entry.reading = read(name, entry);
          await entry.reading;
        }
      },
      pollMs,
    },
    { clock },
  );

  async function read(name: SecretName, entry: Followed): Promise<void> {
    try {
      const material = await readSecretFiles(entry.reference);
      delete entry.problem;
      if (followed.get(name) !== entry || sameMaterial(entry.material?.of, material)) return;
      board.replace("files", (version) => {
        entry.material = { of: material, secret: { revision: version, resource: resourceOf(name, material) } };
        return secrets();
      });
      events.loaded({ name });
    } catch (error) {
      const problem = String(error);
      if (entry.problem !== problem) events.unusable({ name, error });
      entry.problem = problem;
    }
  }

  function secrets(): ReadonlyMap<SecretName, SdsSecret> {
    const ready = [...followed].flatMap(([name, { material }]) =>
      material === undefined ? [] : [[name, material.secret] as const],
    );
    return new Map(ready);
  }

  function begin(name: SecretName, reference: FileReference, follower: string): void {
    const entry: Followed = { reference, followers: new Set([follower]), reading: Promise.resolve() };
    followed.set(name, entry);
    entry.reading = read(name, entry);
    watch.lookAgain();
  }

  function follow(follower: string, names: Iterable<SecretName>): void {
    const wanted = new Map(filesAmong(names));
    const before = followed.size;
    for (const [name, { followers }] of followed) {
      if (wanted.has(name)) followers.add(follower);
      else if (followers.delete(follower) && followers.size === 0) followed.delete(name);
    }
    // A key that nobody wants any more is not kept, nor given to somebody who asks for the name when the files are others.
    if (followed.size < before) board.replace("files", secrets);
    for (const [name, reference] of wanted) {
      if (followed.has(name)) continue;
      if (followed.size < maxNames) begin(name, reference, follower);
      else if (refused.size < maxNames && !refused.has(name)) {
        refused.add(name);
        events.tooMany({ name, limit: maxNames });
      }
    }
  }

  return {
    task: watch.task,
    follow,
    async settled(names) {
      await Promise.all(names.map((name) => followed.get(name)?.reading));
    },
  };
}

function filesAmong(names: Iterable<SecretName>): readonly (readonly [SecretName, FileReference])[] {
  return [...names].flatMap((name) => {
    const reference = parseSecretName(name);
    if (reference === undefined || reference.kind === "workload-svid" || reference.kind === "trust-bundle") return [];
    return [[name, reference] as const];
  });
}

function pathsOf(reference: FileReference): readonly string[] {
  switch (reference.kind) {
    case "certificate-files":
      return [reference.certificateFile, reference.keyFile];
    case "root-file":
      return [reference.rootFile];
    case "system-roots":
      return [];
  }
}

function sameMaterial(one: FileMaterial | undefined, other: FileMaterial): boolean {
  if (one?.kind === "certificate" && other.kind === "certificate") {
    return one.chainPem === other.chainPem && one.keyPem === other.keyPem;
  }
  return one?.kind === "roots" && other.kind === "roots" && one.rootsPem === other.rootsPem;
}

function resourceOf(name: SecretName, material: FileMaterial): SdsSecret["resource"] {
  return material.kind === "certificate" ? certificateSecret(name, material) : rootsSecret(name, material.rootsPem);
}
