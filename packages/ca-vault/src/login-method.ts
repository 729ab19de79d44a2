import { assertNever, type Clock, errorMessage, readFileCapped } from "@signet/runtime";
import { answerFields } from "./answer-fields.ts";
import { VaultError } from "./errors.ts";
import type { TokenLease } from "./token-lease.ts";
import type { VaultClient } from "./vault-client.ts";
import { isToken, type VaultAuth } from "./vault-settings.ts";

/** One way to get a token. */
export interface LoginMethod {
  readonly kind: VaultAuth["kind"];
  /** Whether each login makes a new token; false where it is given to us. */
  readonly makesTokens: boolean;
  /**
   * A token that Vault has just accepted. Rejects with `signal.reason` when aborted.
   * @throws VaultError `login-refused`, `config-invalid`, or whatever keeps Vault from answering
   */
  login(signal: AbortSignal): Promise<TokenLease>;
  /** The token that is given to us now, when it is read from somewhere; undefined otherwise. */
  given(): Promise<string | undefined>;
}

/** Largest file with a token, a secret id or a JWT, in bytes. */
const maxSecretBytes = 65_536;

/** Returns the way to log in that the settings name. */
export function createLoginMethod(
  auth: VaultAuth,
  dependencies: { readonly client: VaultClient; readonly clock: Clock },
): LoginMethod {
  switch (auth.kind) {
    case "token":
      return givenToken("token", async () => auth.token, dependencies);
    case "token-file":
      return givenToken("token-file", () => readToken(auth.path), dependencies);
    case "approle":
      return credentialLogin(auth, dependencies, async () => ({
        role_id: auth.roleId,
        ...(auth.secretIdFile === undefined ? {} : { secret_id: await readSecret(auth.secretIdFile) }),
      }));
    case "kubernetes":
      return credentialLogin(auth, dependencies, async () => ({
        role: auth.role,
        jwt: await readSecret(auth.tokenFile),
      }));
    case "cert":
      return credentialLogin(auth, dependencies, async () => (auth.role === undefined ? {} : { name: auth.role }));
    default:
      return assertNever(auth);
  }
}

type Dependencies = { readonly client: VaultClient; readonly clock: Clock };

function credentialLogin(
  auth: { readonly kind: VaultAuth["kind"]; readonly mount: string },
  { client, clock }: Dependencies,
  credentials: () => Promise<Readonly<Record<string, string>>>,
): LoginMethod {
  return {
    kind: auth.kind,
    makesTokens: true,
    given: async () => undefined,
    async login(signal) {
      const obtainedAt = clock.now();
      const data = await credentials();
      const request = { kind: "write", path: `auth/${auth.mount}/login`, data, operation: "login" } as const;
      const body = await client.call(request, signal).catch((error: unknown) => {
        throw asLoginError(error);
      });
      return readLease(body, obtainedAt);
    },
  };
}

/** A token that someone else made: what is known of its time is what Vault says when asked. */
function givenToken(
  kind: "token" | "token-file",
  read: () => Promise<string>,
  { client, clock }: Dependencies,
): LoginMethod {
  return {
    kind,
    makesTokens: false,
    given: read,
    async login(signal) {
      const obtainedAt = clock.now();
      const token = await read();
      const request = { kind: "read", path: "auth/token/lookup-self", token, operation: "lookup" } as const;
      const body = await client.call(request, signal).catch((error: unknown) => {
        throw asLoginError(error);
      });
      const data = answerFields(body, "data");
      const seconds = data.seconds("ttl");
      // The time to live of a root token is 0, and it has no instant of expiry; a token about to expire has one.
      const leaseMs = seconds === 0 && !data.has("expire_time") ? undefined : seconds * 1000;
      return { token, obtainedAt, leaseMs, renewable: data.flag("renewable") };
    },
  };
}

/**
 * Returns the lease in the answer to a login or a renewal.
 * @throws VaultError `response-malformed`
 */
export function readLease(body: unknown, obtainedAt: Date): TokenLease {
  const auth = answerFields(body, "auth");
  const token = auth.text("client_token");
  if (!isToken(token)) throw new VaultError("response-malformed", "Vault answered with something that is no token");
  const seconds = auth.seconds("lease_duration");
  return { token, obtainedAt, leaseMs: seconds * 1000, renewable: auth.flag("renewable") };
}

/** To a login, every final answer says that our credentials are not good, be it 400, 403 or 404. */
function asLoginError(error: unknown): unknown {
  if (!(error instanceof VaultError)) return error;
  if (!["permission-denied", "not-found", "refused"].includes(error.code)) return error;
  const status = error.status === undefined ? {} : { status: error.status };
  return new VaultError("login-refused", error.message, { cause: error, ...status });
}

async function readToken(path: string): Promise<string> {
  const token = await readSecret(path);
  if (!isToken(token)) throw new VaultError("config-invalid", `${path} does not hold a token`);
  return token;
}

/** The text of a file without the spaces and line ends around it. */
async function readSecret(path: string): Promise<string> {
  try {
    const text = (await readFileCapped(path, maxSecretBytes)).toString("utf8").trim();
    if (text !== "") return text;
  } catch (error) {
    // The message of a file error holds the path, never the content.
    throw new VaultError("config-invalid", errorMessage(error), { cause: error });
  }
  throw new VaultError("config-invalid", `${path} is empty`);
}
