/** A kind of object: where it lives in the API, and how an answer becomes a `T`. */
export type Resource<T extends KubernetesObject> = {
  /** "v1", or a group with its version such as "certificates.k8s.io/v1". */
  readonly apiVersion: string;
  readonly kind: string;
  /** The plural of the URL, such as "secrets". */
  readonly plural: string;
  readonly namespaced: boolean;
  /**
   * Checks the fields that `T` names and returns the same object, with all fields we do not know left in place, so that a
   * `replace` loses nothing; optional fields that are null are removed.
   * @throws KubernetesError `response-malformed`
   */
  parse(value: unknown): T;
};

/** What every object has. */
export type KubernetesObject = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
};

/** The part of an object's metadata that we read. */
export type ObjectMeta = {
  /** Empty only in what is given to `create`, together with `generateName`. */
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly uid?: string;
  /** Opaque; sent along with `replace`, it makes that fail with `conflict` when someone else was faster. */
  readonly resourceVersion?: string;
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  /** RFC 3339; present once deletion has begun. */
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

/** Which object; `namespace` exactly for resources that have one. */
export type ObjectName = { readonly namespace?: string; readonly name: string };
