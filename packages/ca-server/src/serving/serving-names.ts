import { isIP } from "node:net";

/** What the CA server's own certificate is valid for. */
export type ServingNames = { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] };

/** What the settings say of the server's names. */
export type ServingNameSettings = {
  readonly namespace: string;
  readonly revision: string;
  readonly customHosts: readonly string[];
  readonly servingNames: readonly string[];
};

const dnsLabel = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/**
 * Returns the names that istiod's certificate has, and those of `SIGNET_SERVING_NAMES`, which may be IP addresses too;
 * and a sentence for each that is no name.
 *
 * istiod's: `ISTIOD_CUSTOM_HOST`, `istiod`, `istiod-remote` and `istio-pilot` in the service domain of `POD_NAMESPACE`,
 * and `istiod-<revision>` there for a revision other than "default".
 */
export function parseServingNames(settings: ServingNameSettings): ServingNames & {
  readonly problems: readonly string[];
} {
  const { namespace, revision, customHosts, servingNames } = settings;
  const problems: string[] = [];
  const services = ["istiod", "istiod-remote", "istio-pilot"];
  if (revision !== "" && revision !== "default") {
    if (dnsLabel.test(revision)) services.push(`istiod-${revision}`);
    else problems.push(`REVISION ${JSON.stringify(revision)} is not a DNS label`);
  }
  if (!dnsLabel.test(namespace)) problems.push(`POD_NAMESPACE ${JSON.stringify(namespace)} is not a DNS label`);
  for (const name of customHosts.filter((host) => !isDnsName(host))) {
    problems.push(`ISTIOD_CUSTOM_HOST ${JSON.stringify(name)} is not a DNS name`);
  }
  for (const name of servingNames.filter((host) => isIP(host) === 0 && !isDnsName(host))) {
    problems.push(`SIGNET_SERVING_NAMES ${JSON.stringify(name)} is neither a DNS name nor an IP address`);
  }
  return {
    dnsNames: [
      ...services.map((service) => `${service}.${namespace}.svc`),
      ...customHosts,
      ...servingNames.filter((name) => isIP(name) === 0),
    ],
    ipAddresses: servingNames.filter((name) => isIP(name) !== 0),
    problems,
  };
}

function isDnsName(text: string): boolean {
  return text.length <= 253 && isIP(text) === 0 && text.split(".").every((label) => dnsLabel.test(label));
}
