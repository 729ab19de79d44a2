/** A cluster in memory, an API server over it, and the behaviour suite that the real one passes too; for tests only. */

import type { Clock } from "@signet/runtime";
import { KubernetesError } from "./errors.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import type { KubernetesObject, ObjectName, Resource } from "./resource.ts";

/** What is wrong with a fake API server, for requests that begin while it is so; `only` chooses among them by method and path. */
export type FakeFault = FakeFaultKind & { readonly only?: (request: FakeRequest) => boolean };

/** The kinds of faults. */
export type FakeFaultKind =
  | { readonly kind: "status"; readonly status: number; readonly retryAfterSeconds?: number; readonly reason?: string }
  /** Bytes that are no JSON, with status 200. */
  | { readonly kind: "garbage" }
  /** The first half of the right answer, then the connection ends. */
  | { readonly kind: "truncated" }
  /** The right answer, `ms` milliseconds late by the fake's clock. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The request is taken and nothing is ever said. */
  | { readonly kind: "half-open" }
  | { readonly kind: "reset" };

/** A request that the fake saw; bodies are not kept. */
export type FakeRequest = { readonly method: string; readonly path: string };

/** A cluster in memory: what an operator does to it by hand, at once and past all faults. */
export interface FakeCluster {
  /** Of service account tokens. */
  readonly issuer: string;
  /** The keys that service account tokens are signed with, as at /openid/v1/jwks. */
  readonly jwks: string;
  /** What was asked, oldest first, at most the last 10,000. */
  readonly requests: readonly FakeRequest[];
  /** Creates or replaces an object, whatever its resourceVersion; watches see it. */
  put<T extends KubernetesObject>(resource: Resource<T>, object: T): T;
  get<T extends KubernetesObject>(resource: Resource<T>, name: ObjectName): T | undefined;
  /** All objects of a kind, by namespace and name. */
  all<T extends KubernetesObject>(resource: Resource<T>): readonly T[];
  delete<T extends KubernetesObject>(resource: Resource<T>, name: ObjectName): void;
  /** A token signed by the cluster's key with exactly these claims. */
  signToken(claims: Readonly<Record<string, unknown>>): string;
  /** Replaces the key that signs tokens; the old one stays in the JWKS when `keepOld`. */
  rotateKey(options?: { readonly keepOld?: boolean }): void;
  /** From now on requests meet this; undefined ends it. Watches under way are not touched. */
  setFault(fault: FakeFault | undefined): void;
  /** Ends all watches under way: as the server does, by cutting them, with an ERROR event, or by falling silent for good. */
  breakWatches(how: "end" | "cut" | "gone" | "error" | "silent"): void;
  /** Forgets what happened until now: resourceVersions and `continue` tokens from before are answered 410. */
  forgetHistory(): void;
  /** Sends a bookmark to every watch that asked for bookmarks. */
  sendBookmarks(): void;
}

/** A `KubernetesApi` on a cluster in memory, without any socket: all it waits for is its clock. */
export type FakeKubernetes = { readonly api: KubernetesApi; readonly cluster: FakeCluster };

/** Returns an API on a fresh cluster in memory. */
export function fakeKubernetes(_options: { readonly clock: Clock }): FakeKubernetes {
  throw new KubernetesError("unavailable", "not built yet");
}

/** An API server over HTTPS on loopback. */
export interface FakeApiServer {
  readonly cluster: FakeCluster;
  readonly url: string;
  /** The CA of its certificate. */
  readonly caPem: string;
  /** The administrator's; other tokens are judged by the cluster, and may do everything too. */
  readonly adminToken: string;
  /** A kubeconfig for `connectCluster`, with the administrator's token or another. */
  kubeconfig(options?: { readonly token?: string; readonly server?: string }): string;
  /** Stops accepting and cuts what there is; `resume` listens on the same port again. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts an API server on a fresh cluster in memory. Its clock is the system's unless given. */
export async function startFakeApiServer(_options: { readonly clock?: Clock } = {}): Promise<FakeApiServer> {
  throw new KubernetesError("unavailable", "not built yet");
}
