import { randomBytes, X509Certificate } from "node:crypto";
import type { Clock } from "@signet/runtime";
import {
  data,
  errors,
  type FakeAnswer,
  type FakeRequest,
  flagOf,
  listOf,
  noContent,
  notFound,
  permissionDenied,
  secondsOf,
  textOf,
} from "./fake-answer.ts";
import { allows, type PolicyRule, parsePolicy } from "./fake-policy.ts";

type FakeToken = {
  /** Where it was made: "auth/token", or the path of the login. */
  readonly origin: string;
  readonly policies: readonly string[];
  readonly ttlMs: number | undefined;
  /** The end beyond which no renewal reaches. */
  readonly maxEnd: number;
  readonly renewable: boolean;
  expiresAt: number;
};

type TokenOptions = {
  readonly policies: readonly string[];
  readonly seconds: number;
  readonly maxSeconds: number;
  readonly renewable: boolean;
};

/** Vault's own default, 32 days. */
const longestSeconds = 2_764_800;

type AuthRole = FakeRequest["body"];

/** Tokens, policies and the login methods of the fake. */
export interface FakeAuth {
  /** Whether the token of a request may do this. */
  permits(request: FakeRequest, capability: string): boolean;
  /** Undefined for a path that is not one of auth/ or of policies. */
  answer(request: FakeRequest): FakeAnswer | undefined;
  /** A login answers without a token. */
  isLogin(path: string): boolean;
  /** Says which service account tokens the cluster vouches for. */
  trustJwt(jwt: string): void;
}

const defaultPolicy = parsePolicy(
  'path "auth/token/lookup-self" { capabilities = ["read"] } path "auth/token/renew-self" { capabilities = ["update"] }',
);

/** Returns auth without any method but tokens; `rootToken` may do everything. */
export function createFakeAuth(rootToken: string, clock: Clock): FakeAuth {
  const tokens = new Map<string, FakeToken>();
  const policies = new Map<string, readonly PolicyRule[]>([["default", defaultPolicy]]);
  const methods = new Map<string, string>();
  const roles = new Map<string, AuthRole>();
  const secretIds = new Map<string, string>();
  const jwts = new Set<string>();
  const now = (): number => clock.now().getTime();

  function live(token: string): FakeToken | undefined {
    const found = tokens.get(token);
    return found !== undefined && found.expiresAt > now() ? found : undefined;
  }

  function createToken(origin: string, options: TokenOptions): FakeAnswer {
    const ttlMs = (options.seconds || longestSeconds) * 1000;
    const maxEnd = now() + (options.maxSeconds || longestSeconds) * 1000;
    const { policies, renewable } = options;
    const token = { origin, policies, ttlMs, maxEnd, renewable, expiresAt: Math.min(now() + ttlMs, maxEnd) };
    const name = `hvs.${randomBytes(24).toString("base64url")}`;
    tokens.set(name, token);
    return lease(name, token);
  }

  function lease(name: string, { expiresAt, renewable }: FakeToken): FakeAnswer {
    const lease_duration = Math.floor((expiresAt - now()) / 1000);
    return { status: 200, body: { auth: { client_token: name, accessor: "accessor", lease_duration, renewable } } };
  }

  function tokenAnswer(request: FakeRequest): FakeAnswer {
    const { path, body } = request;
    const name = tokenOf(request);
    const token = live(name);
    if (path === "auth/token/create") {
      return createToken("auth/token", {
        policies: [...listOf(body, "policies"), ...(flagOf(body, "no_default_policy") ? [] : ["default"])],
        seconds: secondsOf(body, "ttl"),
        maxSeconds: secondsOf(body, "explicit_max_ttl"),
        renewable: flagOf(body, "renewable", true),
      });
    }
    if (path === "auth/token/revoke") {
      tokens.delete(textOf(body, "token"));
      return noContent;
    }
    if (name === rootToken) return data({ ttl: 0, expire_time: null, renewable: false });
    if (token === undefined) return permissionDenied;
    if (path === "auth/token/lookup-self") {
      const ttl = Math.floor((token.expiresAt - now()) / 1000);
      return data({ ttl, expire_time: new Date(token.expiresAt).toISOString(), renewable: token.renewable });
    }
    if (path !== "auth/token/renew-self") return notFound;
    if (!token.renewable) return errors(400, "lease is not renewable");
    token.expiresAt = Math.min(now() + (token.ttlMs ?? 0), token.maxEnd);
    return lease(name, token);
  }

  function roleAnswer({ method, path, body }: FakeRequest): FakeAnswer {
    if (method === "POST" && path.endsWith("/secret-id")) {
      const secretId = randomBytes(16).toString("hex");
      secretIds.set(secretId, path.slice(0, -"/secret-id".length));
      return data({ secret_id: secretId });
    }
    if (method === "GET" && path.endsWith("/role-id")) return data({ role_id: path.slice(0, -"/role-id".length) });
    if (method === "DELETE") roles.delete(path);
    else roles.set(path, body);
    return noContent;
  }

  function login(request: FakeRequest): FakeAnswer {
    const mount = request.path.slice("auth/".length, -"/login".length);
    const role = roleOf(methods.get(mount), `auth/${mount}`, request);
    if (role === undefined) return errors(400, "invalid role or credentials");
    return createToken(`auth/${mount}`, {
      policies: [...listOf(role, "token_policies"), ...(flagOf(role, "token_no_default_policy") ? [] : ["default"])],
      seconds: secondsOf(role, "token_ttl"),
      maxSeconds: secondsOf(role, "token_max_ttl"),
      renewable: true,
    });
  }

  function roleOf(
    method: string | undefined,
    base: string,
    { body, clientCertificate }: FakeRequest,
  ): AuthRole | undefined {
    switch (method) {
      case "approle": {
        const path = textOf(body, "role_id");
        return secretIds.get(textOf(body, "secret_id")) === path ? roles.get(path) : undefined;
      }
      case "kubernetes":
        return jwts.has(textOf(body, "jwt")) ? roles.get(`${base}/role/${textOf(body, "role")}`) : undefined;
      case "cert": {
        const candidates = [...roles].filter(([path]) => path.startsWith(`${base}/certs/`));
        const named = candidates.filter(
          ([path]) => body.name === undefined || path.endsWith(`/${textOf(body, "name")}`),
        );
        return named.find(([, role]) => isSignedBy(clientCertificate, textOf(role, "certificate")))?.[1];
      }
      default:
        return undefined;
    }
  }

  return {
    trustJwt: (jwt) => void jwts.add(jwt),
    isLogin: (path) => path.startsWith("auth/") && path.endsWith("/login"),
    permits(request, capability) {
      const name = tokenOf(request);
      if (name === rootToken) return true;
      const token = live(name);
      if (token === undefined) return false;
      const rules = token.policies.flatMap((policy) => policies.get(policy) ?? []);
      const path = request.list ? `${request.path}/` : request.path;
      const about = { capability, body: request.body };
      return allows(rules, { path, ...about }) || (request.list && allows(rules, { path: request.path, ...about }));
    },
    answer(request) {
      const { method, path, body } = request;
      if (path.startsWith("sys/auth/")) {
        if (method === "DELETE") methods.delete(path.slice("sys/auth/".length));
        else methods.set(path.slice("sys/auth/".length), textOf(body, "type"));
        return noContent;
      }
      if (path.startsWith("sys/policies/acl/")) {
        const name = path.slice("sys/policies/acl/".length);
        if (method === "DELETE") policies.delete(name);
        else policies.set(name, parsePolicy(textOf(body, "policy")));
        return noContent;
      }
      if (path.startsWith("sys/leases/revoke-prefix/")) {
        const prefix = path.slice("sys/leases/revoke-prefix/".length);
        for (const [name, { origin }] of tokens) if (origin === prefix) tokens.delete(name);
        return noContent;
      }
      if (!path.startsWith("auth/")) return undefined;
      if (path.startsWith("auth/token/")) return tokenAnswer(request);
      return path.endsWith("/login") ? login(request) : roleAnswer(request);
    },
  };
}

function tokenOf({ headers }: FakeRequest): string {
  const value = headers["x-vault-token"];
  return typeof value === "string" ? value : "";
}

function isSignedBy(der: Uint8Array | undefined, caPem: string): boolean {
  if (der === undefined) return false;
  const [certificate, ca] = [new X509Certificate(der), new X509Certificate(caPem)];
  return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
}
