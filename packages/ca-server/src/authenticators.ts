import type { Authenticator, SigningCa } from "@signet/ca";
import { createJwksSource, createJwtVerifier, defaultClockSkewSeconds, type JwksEvents } from "@signet/jwt";
import type { Clock, Logger, Random, Task } from "@signet/runtime";
import { createClientCertificateAuthenticator } from "./authenticators/client-certificate.ts";
import { createOidcTokenAuthenticator } from "./authenticators/oidc-token.ts";
import { logEvent } from "./log-events.ts";
import type { CaServerSettings } from "./settings.ts";

/** Who may ask, in the order they are asked, and what has to run for them. */
export type Authenticators = { readonly authenticators: readonly Authenticator[]; readonly tasks: readonly Task[] };

/** Returns the authenticators of a CA server in istiod's order: the client certificate first, then tokens. */
export function createAuthenticators(
  { trustDomain, issuers }: Pick<CaServerSettings, "trustDomain" | "issuers">,
  dependencies: {
    readonly signingCa: SigningCa;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  },
): Authenticators {
  const { clock, random, logger } = dependencies;
  const { trustBundle } = dependencies.signingCa;
  const byCertificate = createClientCertificateAuthenticator(
    { trustDomain, trustDomainAliases: new Set(), trustBundle },
    clock,
  );
  if (issuers.length === 0) {
    logEvent(logger, "no token issuer configured", {});
    return { authenticators: [byCertificate], tasks: [] };
  }
  const trusted = issuers.map((issuer) => ({
    issuer: issuer.issuer,
    audiences: issuer.audiences,
    keys: createJwksSource(issuer, { clock, random, events: createKeyEvents(logger) }),
  }));
  const verifier = createJwtVerifier({ issuers: trusted, clockSkewSeconds: defaultClockSkewSeconds }, clock);
  return {
    authenticators: [byCertificate, createOidcTokenAuthenticator({ verifier, trustDomain }, clock)],
    tasks: trusted.map(({ keys }) => keys.task),
  };
}

/** Keys are fetched every few minutes; only news of them is logged: the first, other keys, and the end of an outage. */
function createKeyEvents(logger: Logger): JwksEvents {
  let known: number | undefined;
  return {
    fetched({ issuer, keyCount, skipped }): void {
      if (keyCount !== known) logEvent(logger, "token issuer keys fetched", { issuer, keyCount, skipped });
      known = keyCount;
    },
    fetchFailed({ issuer, error }): void {
      known = undefined;
      logEvent(logger, "token issuer keys unavailable", { issuer, error });
    },
  };
}
