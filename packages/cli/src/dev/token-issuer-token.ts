import { createHash, randomUUID } from "node:crypto";
import { signJwt } from "@signet/jwt";
import { TokenIssuerError } from "./token-issuer-error.ts";
import { type IssuerKeys, maxTokenTtlMs, signingKeyAt } from "./token-issuer-keys.ts";

/** Whom a token is for, and how long. */
export type TokenRequest = {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** At least one. */
  readonly audiences: readonly string[];
  /** One second to seven days, in milliseconds; cut to whole seconds. */
  readonly ttlMs: number;
};

/**
 * Returns a token like those that Kubernetes projects into pods (RS256; `sub` is the service account), signed with the
 * key whose turn it is.
 * @throws TokenIssuerError `token-request-invalid`
 */
export function signServiceAccountToken(
  { issuer, keys }: { readonly issuer: string; readonly keys: IssuerKeys },
  request: TokenRequest,
  now: Date,
): string {
  checkRequest(request);
  const { namespace, serviceAccount, audiences, ttlMs } = request;
  const key = signingKeyAt(keys, now);
  const issuedAt = Math.floor(now.getTime() / 1000);
  const claims = {
    aud: audiences,
    exp: issuedAt + Math.floor(ttlMs / 1000),
    iat: issuedAt,
    iss: issuer,
    jti: randomUUID(),
    "kubernetes.io": {
      namespace,
      serviceaccount: { name: serviceAccount, uid: serviceAccountUid(namespace, serviceAccount) },
    },
    nbf: issuedAt,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
  };
  return signJwt({ claims, key: key.privateKey, kid: key.kid, alg: "RS256" });
}

function checkRequest({ namespace, serviceAccount, audiences, ttlMs }: TokenRequest): void {
  parseNamespace(namespace);
  parseServiceAccount(serviceAccount);
  if (audiences.length === 0 || audiences.includes("")) throw invalid("a token needs an audience");
  if (!(ttlMs >= 1000 && ttlMs <= maxTokenTtlMs)) throw invalid(`lifetime ${ttlMs}ms is not within 1s and 168h`);
}

/**
 * Returns `name` if it can name a Kubernetes namespace (an RFC 1123 label).
 * @throws TokenIssuerError `token-request-invalid`
 */
export function parseNamespace(name: string): string {
  if (name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) return name;
  throw invalid("a namespace has at most 63 lower-case letters, digits and dashes");
}

/**
 * Returns `name` if it can name a Kubernetes service account (an RFC 1123 subdomain).
 * @throws TokenIssuerError `token-request-invalid`
 */
export function parseServiceAccount(name: string): string {
  const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
  if (name.length <= 253 && new RegExp(`^${label}(\\.${label})*$`).test(name)) return name;
  throw invalid("a service account has at most 253 lower-case letters, digits, dashes and dots");
}

function invalid(message: string): TokenIssuerError {
  return new TokenIssuerError("token-request-invalid", message);
}

/** The same account always has the same uid, as in a cluster; RFC 9562 section 5.8 leaves version 8 to us. */
function serviceAccountUid(namespace: string, serviceAccount: string): string {
  const hex = createHash("sha256").update(`${namespace}/${serviceAccount}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
