import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

/** A real OpenID provider on this machine, with one client, `shop`, and everybody as its user. */
export type TestProvider = {
  readonly issuer: string;
  /** Signs with the first of these keys from now on, and publishes all of them; keys are made when they are first named. */
  useKeys(...kids: readonly string[]): void;
  close(): Promise<void>;
};

/** The secret of the client. */
export const clientSecret = "a secret of the test's client, 44 characters";

/** Starts a provider that knows the client at these places. */
export async function startProvider(origins: readonly string[]): Promise<TestProvider> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const keys = new Map<string, object>();
  const keyOf = (kid: string): object => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = keys.get(kid) ?? { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "ES256" };
    keys.set(kid, key);
    return key;
  };
  const provider: TestProvider = {
    issuer,
    useKeys(...kids) {
      const serve = new Provider(issuer, configuration(origins, kids.map(keyOf))).callback();
      server.removeAllListeners("request").on("request", serve);
    },
    close: () => server[Symbol.asyncDispose](),
  };
  provider.useKeys("k1");
  return provider;
}

function configuration(origins: readonly string[], keys: readonly object[]): object {
  const client = {
    ...{ client_id: "shop", client_secret: clientSecret, id_token_signed_response_alg: "ES256" },
    redirect_uris: origins.map((origin) => `${origin}/callback`),
    post_logout_redirect_uris: origins.map((origin) => `${origin}/`),
  };
  return {
    clients: [client],
    jwks: { keys },
    cookies: { keys: ["a key of the test's provider"] },
    claims: { openid: ["sub"], email: ["email"] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@shop.example` }),
    }),
    ttl: { IdToken: 3_600, AccessToken: 3_600, Session: 3_600, Grant: 3_600, Interaction: 600, AuthorizationCode: 60 },
  };
}
