import { setImmediate as nextTurn } from "node:timers/promises";
import type { Authenticator } from "@signet/ca";
import { createFixedJwks, createJwtVerifier, defaultClockSkewSeconds, type JwksSource } from "@signet/jwt";
import type { Clock } from "@signet/runtime";
import type { TrustDomain } from "@signet/spiffe";
import { createKubernetesTokenAuthenticator } from "./authenticators/kubernetes-token.ts";
import { createOidcTokenAuthenticator } from "./authenticators/oidc-token.ts";
import { createLocalTokenVerifier } from "./clusters/local-token-verifier.ts";
import { applyMeshConfig } from "./mesh-config.ts";
import type { CaServerSettings } from "./settings.ts";

/** The authenticators that read tokens, without a network. */
export type OfflineAuthenticators = {
  /** That of the callers' SPIFFE IDs, by settings and mesh config. */
  readonly trustDomain: TrustDomain;
  /** Absent where no OIDC issuer is configured. */
  readonly oidcToken?: Authenticator;
  /** With local verification, for a cluster whose API server signs as `issuer`. */
  kubernetesToken(issuer: string): Authenticator;
};

/**
 * Returns the authenticators that a CA server with these settings would ask about a token, to be asked by a person: they
 * know the keys in `jwks` (issuer to JWKS document) and no others, so a token of another issuer is `unavailable`. Keys of an
 * OIDC issuer are not taken for those of an API server. Nothing is ever asked over a network; the mesh config is read as at
 * a start.
 * @throws CaServerError `mesh-config-invalid`; JwtError for a JWKS document that is none
 * @example
 * ```ts
 * import { createOfflineAuthenticators, parseCaServerSettings } from "@signet/ca-server";
 * import { systemClock } from "@signet/runtime";
 * const parsed = parseCaServerSettings({ env: { TOKEN_ISSUER: "https://issuer.example" }, args: [] });
 * if (parsed.kind === "settings") {
 *   const { oidcToken } = await createOfflineAuthenticators(parsed.settings, { jwks: new Map(), clock: systemClock });
 *   const presented = { bearerToken: "header.claims.signature", peerAddress: "", transport: "tls" } as const;
 *   await oidcToken?.authenticate(presented, AbortSignal.timeout(1_000));
 * }
 * ```
 */
export async function createOfflineAuthenticators(
  settings: CaServerSettings,
  dependencies: { readonly jwks: ReadonlyMap<string, string>; readonly clock: Clock },
): Promise<OfflineAuthenticators> {
  const { trustDomain, issuers, kubernetes } = await applyMeshConfig(settings);
  const { jwks, clock } = dependencies;
  const trusted = issuers.map(({ issuer, audiences }) => ({ issuer, audiences, keys: keysOf(issuer, jwks) }));
  const audiences = kubernetes?.audiences ?? [];
  const oidc = new Set(issuers.map(({ issuer }) => issuer));
  return {
    trustDomain,
    ...(trusted.length > 0 && {
      oidcToken: createOidcTokenAuthenticator(
        {
          verifier: createJwtVerifier({ issuers: trusted, clockSkewSeconds: defaultClockSkewSeconds }, clock),
          trustDomain,
        },
        clock,
      ),
    }),
    kubernetesToken: (issuer) =>
      offlineKubernetesToken({ issuer, audiences, trustDomain }, { clock, jwks: oidc.has(issuer) ? new Map() : jwks }),
  };
}

function keysOf(issuer: string, jwks: ReadonlyMap<string, string>): JwksSource {
  const text = jwks.get(issuer);
  if (text !== undefined) return createFixedJwks({ issuer, jwks: text });
  const detail = `no keys of issuer ${JSON.stringify(issuer.slice(0, 200))} were given`;
  return {
    issuer,
    find: async () => ({ kind: "unavailable", code: "keys-unavailable", detail }),
    task: { name: `jwks ${issuer}`, run: async () => {} },
    status: () => ({ keyCount: 0 }),
  };
}

/** The real authenticator over the real verifier, whose API server is a file. */
function offlineKubernetesToken(
  options: { readonly issuer: string; readonly audiences: readonly string[]; readonly trustDomain: TrustDomain },
  { jwks, clock }: { readonly jwks: ReadonlyMap<string, string>; readonly clock: Clock },
): Authenticator {
  const { issuer, audiences, trustDomain } = options;
  const api = {
    server: "https://cluster.invalid",
    async getJson(path: string): Promise<unknown> {
      if (path.endsWith("openid-configuration")) return { issuer };
      const text = jwks.get(issuer);
      if (text === undefined) throw new Error("none were given");
      return JSON.parse(text);
    },
  };
  const events = { fetched: () => {}, fetchFailed: () => {} };
  const tokens = createLocalTokenVerifier({ api, audiences }, { clock, random: () => 0, events });
  const cluster = { id: "", tokens, tasks: [] };
  const clusters = { find: () => ({ kind: "found", cluster }) as const, podsOf: () => undefined };
  const authenticator = createKubernetesTokenAuthenticator({ clusters, trustDomain });
  return {
    name: authenticator.name,
    async authenticate(presented, signal) {
      const stop = new AbortController();
      tokens.task.run(AbortSignal.any([signal, stop.signal])).catch(() => {});
      // Its first step waits for nothing but promises that are kept already.
      await nextTurn();
      try {
        return await authenticator.authenticate(presented, signal);
      } finally {
        stop.abort();
      }
    },
  };
}
