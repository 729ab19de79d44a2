import { dirname } from "node:path";
import { type Clock, createSource, type Source, type Task, watchFiles } from "@signet/runtime";
import { type DocumentFile, type DocumentFiles, readDocumentFiles } from "./document-files.ts";
import { type DocumentSet, type FileContents, parseDocumentFile, uniteFiles } from "./document-set.ts";
import { AuthorizerError } from "./errors.ts";
import { createLastGood } from "./keep-last-good.ts";

/** Where documents are, and how closely they are followed. */
export type DocumentSourceOptions = {
  /** A file, or a directory with files in it and below. */
  readonly path: string;
  /** The namespace of documents that name none; `default` unless given. */
  readonly namespace?: string;
  /** Longest time between two looks, in milliseconds; 10 seconds by default. */
  readonly pollMs?: number;
  /** How long everything must rest before it counts, in milliseconds; 300 by default. */
  readonly settleMs?: number;
};

/** What following documents reports; must not throw. */
export interface DocumentEvents {
  /** Another set is in force. */
  loaded(set: DocumentSet): void;
  /** The path cannot be read, or never rests: the last set stays. Once until it can be again. */
  unreadable(event: { readonly path: string; readonly error: unknown }): void;
}

/** What a `DocumentSource` needs. */
export type DocumentSourceDependencies = { readonly clock: Clock; readonly events?: DocumentEvents };

/** Documents of a file or a directory, followed. */
export interface DocumentSource {
  /** The set in force; always there, and each one replaces another as a whole. */
  readonly sets: Source<DocumentSet>;
  /** Follows changes. Run it for as long as the documents are used. */
  readonly task: Task;
  /** Why the latest look failed; undefined when it did not. */
  problem(): unknown;
}

const defaultSettleMs = 300;

/** Somebody who writes without a pause is not waited for any longer than this many rests. */
const maxRests = 20;
const maxWatched = 256;

/**
 * Returns the documents of a file, or of all .yaml, .yml and .json files in a directory and below it, read once.
 *
 * The unit of rejection is one document: those that cannot be used are among `refused`, and so is a file that cannot be read.
 * Files and directories that begin with a dot are passed over. See `openDocumentSource` to follow changes.
 * @throws AuthorizerError `documents-unreadable`, `documents-too-many`
 * @example
 * ```ts
 * import { readDocuments } from "@signet/authorizer";
 * import { describeProblem } from "@signet/documents";
 * const { documents, refused } = await readDocuments("policies");
 * for (const { problems } of refused) for (const problem of problems) console.error(describeProblem(problem));
 * ```
 */
export async function readDocuments(path: string, options: { readonly namespace?: string } = {}): Promise<DocumentSet> {
  const { files } = await readDocumentFiles(path);
  return uniteFiles(files.map((file) => parseDocumentFile(file, options.namespace)));
}

/**
 * Reads the documents at a path, and returns them followed.
 *
 * Changes are found by notices of the system and by a look every `pollMs`, also where a link such as a mounted ConfigMap's
 * `..data` is turned. What is found counts once two looks, `settleMs` apart, have found the same, so that a file half
 * written is waited for. Of a document that breaks the last good version stays in force; one that never was good is among
 * `refused`. A path that cannot be read, that holds too much, or from which all files have gone, leaves the last set in force.
 * @throws AuthorizerError `documents-unreadable`, `documents-too-many` when there is no first set to begin with
 * @example
 * ```ts
 * import { openDocumentSource } from "@signet/authorizer";
 * import { systemClock } from "@signet/runtime";
 * const source = await openDocumentSource({ path: "/etc/signet/policies" }, { clock: systemClock });
 * source.sets.current()?.documents.length;
 * // For as long as the documents are used: await source.task.run(signal);
 * ```
 */
export async function openDocumentSource(
  options: DocumentSourceOptions,
  dependencies: DocumentSourceDependencies,
): Promise<DocumentSource> {
  const follower = new DocumentFollower(options, dependencies);
  await follower.start();
  return follower;
}

class DocumentFollower implements DocumentSource {
  readonly sets = createSource<DocumentSet>();
  readonly task: Task;
  readonly #options: DocumentSourceOptions;
  readonly #clock: Clock;
  readonly #events: DocumentEvents | undefined;
  readonly #lastGood = createLastGood();
  #parsed: ReadonlyMap<string, { readonly text: DocumentFile; readonly contents: FileContents }> = new Map();
  #inForce: readonly DocumentFile[] = [];
  #directories: readonly string[] = [];
  #problem: unknown;

  constructor(options: DocumentSourceOptions, { clock, events }: DocumentSourceDependencies) {
    this.#options = options;
    this.#clock = clock;
    this.#events = events;
    const { pollMs } = options;
    const watch = watchFiles(
      {
        name: "documents",
        // The system has few notices to give; beyond these, changes are found by looking.
        directories: () => this.#watched().slice(0, maxWatched),
        look: async (signal) => {
          const before = this.#watched().join("\0");
          await this.#look(signal);
          // Whatever changed in a directory before it was watched is seen by one more look.
          if (this.#watched().join("\0") !== before) watch.lookAgain();
        },
        ...(pollMs === undefined ? {} : { pollMs }),
      },
      { clock },
    );
    this.task = watch.task;
  }

  problem(): unknown {
    return this.#problem;
  }

  async start(): Promise<void> {
    this.#apply(await readDocumentFiles(this.#options.path));
  }

  /** Where changes matter: while the path cannot be read, also where it would come back. */
  #watched(): readonly string[] {
    return this.#problem === undefined ? this.#directories : [dirname(this.#options.path), ...this.#directories];
  }

  /** Reads until two looks have found the same, and puts that in force if it is something else than before. */
  async #look(signal: AbortSignal): Promise<void> {
    try {
      const found = await this.#readAtRest(signal);
      this.#checkNotEmptied(found);
      if (!isSame(found.files, this.#inForce)) this.#apply(found);
      this.#directories = found.directories;
      this.#problem = undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (this.#problem === undefined) this.#events?.unreadable({ path: this.#options.path, error });
      this.#problem = error;
    }
  }

  /** A volume that is not mounted any more leaves such a directory behind, and nothing would be decided by any policy. */
  #checkNotEmptied({ files }: DocumentFiles): void {
    if (files.length > 0 || (this.sets.current()?.documents.length ?? 0) === 0) return;
    const remedy = "for no policies leave a file with a comment in it";
    throw new AuthorizerError("documents-unreadable", `${this.#options.path} holds no file any more; ${remedy}`);
  }

  async #readAtRest(signal: AbortSignal): Promise<DocumentFiles> {
    const { path, settleMs = defaultSettleMs } = this.#options;
    let before = await attempt(path);
    for (let rest = 0; rest < maxRests; rest++) {
      if (before.kind === "found" && isSame(before.found.files, this.#inForce)) return before.found;
      await this.#clock.sleep(settleMs, signal);
      const after = await attempt(path);
      // What is replaced under our eyes may fail to be read once.
      if (before.kind === "failed" && after.kind === "failed") throw after.error;
      if (before.kind === "found" && after.kind === "found" && isSame(before.found.files, after.found.files)) {
        return after.found;
      }
      before = after;
    }
    throw new AuthorizerError("documents-unreadable", `${path} changes all the while it is read`);
  }

  #apply({ files, directories }: DocumentFiles): void {
    const parsed = files.map((file) => {
      const known = this.#parsed.get(file.name);
      const contents =
        known && isSameFile(known.text, file) ? known.contents : parseDocumentFile(file, this.#options.namespace);
      return { text: file, contents };
    });
    this.#parsed = new Map(parsed.map((one) => [one.text.name, one]));
    this.#inForce = files;
    this.#directories = directories;
    const set = this.#lastGood.take(parsed.map(({ contents }) => contents));
    this.sets.publish(set);
    this.#events?.loaded(set);
  }
}

type Attempt =
  | { readonly kind: "found"; readonly found: DocumentFiles }
  | { readonly kind: "failed"; readonly error: unknown };

async function attempt(path: string): Promise<Attempt> {
  try {
    return { kind: "found", found: await readDocumentFiles(path) };
  } catch (error) {
    return { kind: "failed", error };
  }
}

function isSame(one: readonly DocumentFile[], other: readonly DocumentFile[]): boolean {
  return one.length === other.length && one.every((file, index) => isSameFile(file, other[index]));
}

function isSameFile(one: DocumentFile, other: DocumentFile | undefined): boolean {
  if (other === undefined || one.name !== other.name) return false;
  if (one.kind === "text") return other.kind === "text" && one.text === other.text;
  return other.kind === "unreadable" && one.why === other.why;
}
