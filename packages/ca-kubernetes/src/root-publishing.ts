import type { KubernetesApi, Namespace } from "@signet/kubernetes";
import type { Clock, Random, Source } from "@signet/runtime";
import type { TrustBundle } from "@signet/x509";

/** What is published, and where. */
export type RootPublisherOptions = {
  readonly api: KubernetesApi;
  readonly trustBundle: Source<TrustBundle>;
  /** Istio's is `istio-ca-root-cert`. */
  readonly rootConfigMap: string;
  /** Istio's is `istio-ca-crl`; written only when there are `revocationLists`. */
  readonly crlConfigMap: string;
  readonly revocationLists?: Source<string>;
  /** Empty, the default, stands for all namespaces. */
  readonly watchNamespaces?: readonly string[];
  /** Whether a namespace is to have the ConfigMaps at all; by default every one is. */
  readonly selects?: (namespace: Namespace) => boolean;
  /** Default 20. */
  readonly writesPerSecond?: number;
};

/** What publishing needs. */
export type RootPublisherDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: RootPublisherEvents;
};

/** What a root publisher reports as it happens; must not throw. */
export interface RootPublisherEvents {
  /** A ConfigMap could not be written; the next attempt comes after `retryMs`. */
  publishFailed(event: PublishedPlace & { readonly error: unknown; readonly retryMs: number }): void;
  /** Somebody else keeps writing another content; from now on ours is written less and less often. */
  contested(event: PublishedPlace): void;
}

/** Which ConfigMap of which namespace. */
export type PublishedPlace = { readonly namespace: string; readonly configMap: string };

/** What a root publisher has done since it began. */
export type RootPublisherStatus = {
  /** Namespaces that are to have the ConfigMaps. */
  readonly namespaces: number;
  /** Those among them that still have to be looked at. */
  readonly pending: number;
  readonly created: number;
  readonly corrected: number;
  readonly failed: number;
  /** ConfigMaps that could not be made for a reason that is none of ours: made by another, namespace gone or going. */
  readonly passedOver: number;
};
