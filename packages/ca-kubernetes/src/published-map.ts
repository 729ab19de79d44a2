import type { ConfigMap } from "@signet/kubernetes";
import { parseTrustBundle, type TrustBundle, trustBundlesEqual, X509Error } from "@signet/x509";

/** A ConfigMap that is to be in every namespace: its name, the one key in it that is ours, and what that is to hold. */
export type PublishedMap = {
  readonly name: string;
  readonly key: string;
  /** Undefined while there is nothing to publish; "" empties maps that are there, and makes none. */
  wanted(): string | undefined;
  /** Whether `text` is as good as what is wanted. */
  holds(text: string): boolean;
};

/** What a new ConfigMap is labelled with, as istiod does; agents and tools find it by that. */
const labels = { "istio.io/config": "true" };

/** Returns the map of a trust bundle. It is right when it holds the same certificates, whatever their order and comments. */
export function rootMap(name: string, trustBundle: () => TrustBundle | undefined): PublishedMap {
  return {
    name,
    key: "root-cert.pem",
    wanted: () => trustBundle()?.pem,
    holds: (text) => {
      const bundle = trustBundle();
      return bundle !== undefined && (text === bundle.pem || (isBearable(text, bundle) && holdsSame(text, bundle)));
    },
  };
}

/** Returns the map of certificate revocation lists. */
export function revocationMap(name: string, revocationLists: () => string | undefined): PublishedMap {
  return {
    name,
    key: "ca-crl.pem",
    wanted: revocationLists,
    holds: (text) => text === revocationLists(),
  };
}

/** Returns the ConfigMap for a namespace that has none. */
export function newConfigMap(map: PublishedMap, namespace: string, text: string): ConfigMap {
  return { metadata: { namespace, name: map.name, labels }, data: { [map.key]: text } };
}

const spareCharacters = 64 * 1024;

/** Whoever may write a ConfigMap may fill it; texts far beyond the bundle are not worth the time of reading them. */
function isBearable(text: string, bundle: TrustBundle): boolean {
  return text.length <= 2 * bundle.pem.length + spareCharacters;
}

// What our parser would leave out, others may trip over: such a text is put right.
function holdsSame(text: string, bundle: TrustBundle): boolean {
  try {
    const found = parseTrustBundle(text);
    return found.skipped.length === 0 && trustBundlesEqual(found, bundle);
  } catch (error) {
    if (error instanceof X509Error) return false;
    throw error;
  }
}
