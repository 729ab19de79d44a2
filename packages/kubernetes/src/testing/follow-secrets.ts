import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { type Mirror, mirror } from "../mirror.ts";
import { resources, type Secret } from "../resources.ts";
import type { FakeFault } from "./fake-answers.ts";
import type { FakeCluster } from "./fake-cluster.ts";
import { fakeKubernetes } from "./fake-kubernetes.ts";

const { secrets } = resources;

/** A mirror of the Secrets of a namespace in a fake cluster, and what it told. */
export type Following = {
  readonly clock: FakeClock;
  readonly cluster: FakeCluster;
  /** Of each Secret "name=value". */
  readonly copy: Mirror<string>;
  /** "added name=value" and so on, in order. */
  readonly changes: string[];
  readonly running: Promise<void>;
  /** What the mirror holds, by name. */
  held(): readonly string[];
  /** What the cluster holds, by name. */
  truth(): readonly string[];
  /** How often the mirror has asked for anything. */
  asked(): number;
  stop(): Promise<void>;
};

/** Starts a mirror of the Secrets in the namespace "default". */
export function followSecrets(
  options: { readonly seed?: number; readonly labelSelector?: string; readonly fault?: FakeFault } = {},
): Following {
  const clock = new FakeClock();
  const { api, cluster } = fakeKubernetes({ clock });
  cluster.setFault(options.fault);
  const query = { namespace: "default", ...(options.labelSelector && { labelSelector: options.labelSelector }) };
  const copy = mirror(
    api,
    { resource: secrets, query, pick: describe },
    { clock, random: seededRandom(options.seed ?? 1) },
  );
  const changes: string[] = [];
  copy.onChange(({ kind, value }) => void changes.push(`${kind} ${value}`));
  const stopping = new AbortController();
  const running = copy.task.run(stopping.signal);
  const inNamespace = ({ metadata }: Secret): boolean => metadata.namespace === "default";
  return {
    ...{ clock, cluster, copy, changes, running },
    held: () => [...copy.values()].sort(),
    truth: () => cluster.all(secrets).filter(inNamespace).map(describe),
    asked: () => cluster.requests.length,
    async stop() {
      stopping.abort();
      await running.catch(() => undefined);
    },
  };
}

/** Writes a Secret of the namespace "default". */
export function putSecret(
  { cluster }: Pick<Following, "cluster">,
  name: string,
  options: { readonly value?: string; readonly labels?: Readonly<Record<string, string>> } = {},
): void {
  const { value = "", labels } = options;
  const metadata = { namespace: "default", name, ...(labels && { labels }) };
  cluster.put(secrets, { metadata, data: { value } });
}

/** Deletes a Secret of the namespace "default". */
export function deleteSecret({ cluster }: Pick<Following, "cluster">, name: string): void {
  cluster.delete(secrets, { namespace: "default", name });
}

function describe({ metadata, data }: Secret): string {
  return `${metadata.name}=${data?.value ?? ""}`;
}
