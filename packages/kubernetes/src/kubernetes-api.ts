import type { KubernetesObject, ObjectName, Resource } from "./resource.ts";

/**
 * One API server, as one identity. Every call ends by its deadline (10 seconds unless the connection says otherwise), rejects
 * with `KubernetesError`, or with the reason of `signal` on abort, and is sent at once: there is no client-side rate limit. No
 * call is retried, but one that was answered 401 with credentials from a file or a program, once, with those read anew.
 */
export interface KubernetesApi {
  /** The URL of the API server. */
  readonly server: string;
  /** Ends all connections; calls that are under way, and later ones, reject with `unavailable`. */
  close(): void;
  /** Asks whose token that is (authentication.k8s.io/v1 TokenReview). A token that is refused is an answer, not an error. */
  reviewToken(request: TokenReviewRequest, signal: AbortSignal): Promise<TokenReviewStatus>;
  /** A new token of a service account (authentication.k8s.io/v1 TokenRequest). */
  requestToken(request: TokenRequest, signal: AbortSignal): Promise<IssuedToken>;
  /** The object, or undefined when there is none. */
  read<T extends KubernetesObject>(
    resource: Resource<T>,
    name: ObjectName,
    signal: AbortSignal,
  ): Promise<T | undefined>;
  /** Creates the object as it was stored; `already-exists` when someone was faster. */
  create<T extends KubernetesObject>(resource: Resource<T>, object: T, signal: AbortSignal): Promise<T>;
  /** Replaces the whole object; `conflict` when `metadata.resourceVersion` is given and is not the present one. */
  replace<T extends KubernetesObject>(resource: Resource<T>, object: T, signal: AbortSignal): Promise<T>;
  /** Replaces what one subresource covers, like `replace`. */
  replaceSubresource<T extends KubernetesObject>(target: SubresourceOf<T>, object: T, signal: AbortSignal): Promise<T>;
  /** Merges `change.patch` into the object (RFC 7386): null removes a field, an array replaces an array. */
  mergePatch<T extends KubernetesObject>(
    resource: Resource<T>,
    change: ObjectName & { readonly patch: unknown },
    signal: AbortSignal,
  ): Promise<T>;
  /**
   * Deletes the object, or asks for that: a pod on a node stays until the node lets go or `graceSeconds` is 0, a namespace until
   * it is empty. That there is no such object counts as done.
   */
  remove<T extends KubernetesObject>(
    resource: Resource<T>,
    target: ObjectName & { readonly graceSeconds?: number },
    signal: AbortSignal,
  ): Promise<void>;
  /** All objects at one instant, however many pages that takes; the deadline is each page's. */
  list<T extends KubernetesObject>(
    resource: Resource<T>,
    query: ListQuery,
    signal: AbortSignal,
  ): Promise<ObjectList<T>>;
  /** Like `list`, page by page, for collections too large to hold; throws `gone` when that instant has been forgotten meanwhile. */
  listPages<T extends KubernetesObject>(
    resource: Resource<T>,
    query: ListQuery,
    signal: AbortSignal,
  ): AsyncIterable<ObjectList<T>>;
  /**
   * What happens after `resourceVersion`, beginning with a bookmark of it as soon as the watch is open. Returns when the server ends the watch, after 40 seconds by default, which is no
   * failure: watch again from the last `resourceVersion`. Whatever else ends it is thrown: `gone` means list again, and one that
   * lasts 5 seconds longer than it should is cut with `deadline-exceeded`, since nobody may be at the other end.
   */
  watch<T extends KubernetesObject>(
    resource: Resource<T>,
    query: ListQuery & { readonly resourceVersion: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  /** The JSON at a path of the API server, such as "/openid/v1/jwks". */
  getJson(path: string, signal: AbortSignal): Promise<unknown>;
}

/** A token to be judged, and the audiences of whoever asks. */
export type TokenReviewRequest = { readonly token: string; readonly audiences: readonly string[] };

/** What the API server says of a token. */
export type TokenReviewStatus = {
  readonly authenticated: boolean;
  /** Those of the request's audiences that the token is for; a server that knows no audiences answers none. */
  readonly audiences: readonly string[];
  /** Why the token was refused, as the server words it; at most 200 characters, and never the token. */
  readonly error?: string;
  readonly user?: TokenUser;
};

/** Who holds a token. */
export type TokenUser = {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
};

/** A token to be made; the API server refuses less than 600 seconds. */
export type TokenRequest = {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  /** The pod that the token lives and dies with. */
  readonly boundPod?: { readonly name: string; readonly uid: string };
};

/** A token and when it expires, which may be later than asked for. */
export type IssuedToken = { readonly token: string; readonly expiresAt: Date };

/** Which subresource of which kind. */
export type SubresourceOf<T extends KubernetesObject> = {
  readonly resource: Resource<T>;
  readonly subresource: "approval" | "status";
};

/** Which objects; without `namespace` those of all namespaces. Selectors are in Kubernetes' own syntax. */
export type ListQuery = {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects in one page of a list; default 250, and fewer where an answer would become too large. */
  readonly pageSize?: number;
};

/** Objects, and the instant that they are of. */
export type ObjectList<T> = { readonly items: readonly T[]; readonly resourceVersion: string };

/** What a watch tells; a bookmark says that everything up to its `resourceVersion` has been told. */
export type WatchEvent<T> =
  | { readonly kind: "added" | "modified" | "deleted"; readonly object: T }
  | { readonly kind: "bookmark"; readonly resourceVersion: string };
