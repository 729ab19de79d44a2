import type { Authenticator, SigningCa } from "@signet/ca";
import { createJwksSource, createJwtVerifier, defaultClockSkewSeconds } from "@signet/jwt";
import type { Clock, Logger, Random, Task } from "@signet/runtime";
import { createClientCertificateAuthenticator } from "./authenticators/client-certificate.ts";
import { createForwardedClientCertAuthenticator } from "./authenticators/forwarded-client-cert.ts";
import { createKubernetesTokenAuthenticator } from "./authenticators/kubernetes-token.ts";
import { createOidcTokenAuthenticator } from "./authenticators/oidc-token.ts";
import type { ClusterDirectory } from "./clusters/cluster-directory.ts";
import { createKeyEvents } from "./key-events.ts";
import { logEvent } from "./log-events.ts";
import type { CaServerSettings } from "./settings.ts";

/** Who may ask, in the order they are asked, and what has to run for them. */
export type Authenticators = { readonly authenticators: readonly Authenticator[]; readonly tasks: readonly Task[] };

/** What authenticators are made of. */
export type AuthenticatorDependencies = {
  readonly signingCa: SigningCa;
  /** Absent where there is no Kubernetes API. */
  readonly clusters?: ClusterDirectory;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

/**
 * Returns the authenticators of a CA server in istiod's order: the client certificate first, then tokens of OIDC issuers,
 * then those of Kubernetes, and last what a trusted gateway says. Each is there only where it is configured.
 */
export function createAuthenticators(
  settings: Pick<CaServerSettings, "trustDomain" | "trustDomainAliases" | "issuers" | "trustedGateways">,
  dependencies: AuthenticatorDependencies,
): Authenticators {
  const { clusters, clock, logger } = dependencies;
  const { trustBundle } = dependencies.signingCa;
  const oidc = createOidc(settings, dependencies);
  const authenticators = [
    createClientCertificateAuthenticator({ ...settings, trustBundle }, clock),
    ...oidc.authenticators,
    ...(clusters === undefined ? [] : [createKubernetesTokenAuthenticator({ ...settings, clusters })]),
    ...(settings.trustedGateways.cidrs.length === 0 ? [] : [createForwardedClientCertAuthenticator(settings)]),
  ];
  if (authenticators.length === 1) logEvent(logger, "no token issuer configured", {});
  return { authenticators, tasks: oidc.tasks };
}

function createOidc(
  { trustDomain, issuers }: Pick<CaServerSettings, "trustDomain" | "issuers">,
  { clock, random, logger }: AuthenticatorDependencies,
): Authenticators {
  if (issuers.length === 0) return { authenticators: [], tasks: [] };
  const trusted = issuers.map((issuer) => ({
    issuer: issuer.issuer,
    audiences: issuer.audiences,
    keys: createJwksSource(issuer, { clock, random, events: createKeyEvents(logger) }),
  }));
  const verifier = createJwtVerifier({ issuers: trusted, clockSkewSeconds: defaultClockSkewSeconds }, clock);
  return {
    authenticators: [createOidcTokenAuthenticator({ verifier, trustDomain }, clock)],
    tasks: trusted.map(({ keys }) => keys.task),
  };
}
