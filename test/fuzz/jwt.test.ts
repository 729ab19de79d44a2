import type { AuthenticationResult, Authenticator } from "@signet/ca";
import { createOfflineAuthenticators, parseCaServerSettings } from "@signet/ca-server";
import { testIssuer } from "@signet/jwt/testing";
import { FakeClock } from "@signet/runtime/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";
import { mutatedText } from "./support/mutate-text.ts";

const clock = new FakeClock(new Date("2026-11-01T12:00:00Z"));
const now = clock.now().getTime() / 1000;
const issuer = testIssuer({ issuer: "https://issuer.example", clock });
const cluster = testIssuer({ issuer: "https://kubernetes.default.svc", clock, kid: "cluster" });
const stranger = testIssuer({ issuer: "https://issuer.example", clock, kid: "stranger" });

const { oidc, kubernetes } = await authenticators();

async function authenticators(): Promise<{ oidc: Authenticator; kubernetes: Authenticator }> {
  const env = { TOKEN_ISSUER: issuer.issuer, SIGNET_KUBECONFIG: "unused" };
  const parsed = parseCaServerSettings({ env, args: [] });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  const jwks = new Map([issuer, cluster].map((each) => [each.issuer, each.jwks]));
  const offline = await createOfflineAuthenticators(parsed.settings, { jwks, clock });
  if (offline.oidcToken === undefined) throw new Error("no issuer");
  return { oidc: offline.oidcToken, kubernetes: offline.kubernetesToken(cluster.issuer) };
}

function ask(authenticator: Authenticator, bearerToken: string): Promise<AuthenticationResult> {
  const presented = { bearerToken, peerAddress: "192.0.2.1:40000", transport: "tls" } as const;
  return authenticator.authenticate(presented, new AbortController().signal);
}

const bound = {
  "kubernetes.io": {
    namespace: "demo",
    serviceaccount: { name: "frontend", uid: "1" },
    pod: { name: "frontend-1", uid: "2" },
    node: { name: "node-1", uid: "3" },
  },
};

/** Any JSON, with names that mean something put where they do not belong. */
const word = fc.oneof(
  fc.constantFrom("demo", "frontend", "system", "serviceaccount", "system:serviceaccount:demo:frontend", "istio-ca"),
  fc.constantFrom(
    ":",
    "/",
    ",",
    "..",
    ".",
    "%2F",
    "\0",
    "",
    "kube-system",
    "__proto__",
    "constructor",
    "a".repeat(300),
  ),
  fc.constantFrom("spiffe://victim.example/ns/demo/sa/frontend", "frontend,victim.example", "Frontend", "fröntend"),
  fc.string({ maxLength: 8, unit: "binary" }),
);
const json: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 3 }, word, fc.double(), fc.boolean(), fc.constant(null), tie("list"), tie("object")),
  list: fc.array(tie("any"), { maxLength: 3 }),
  object: fc.dictionary(word, tie("any"), { maxKeys: 3 }),
})).any;
const subject = fc.oneof(
  fc.tuple(word, word).map(([namespace, name]) => `system:serviceaccount:${namespace}:${name}`),
  fc.array(word, { maxLength: 6 }).map((words) => words.join(":")),
  fc.constantFrom("system:serviceaccount:demo:frontend", "system:serviceaccount:demo:backend"),
  json,
);
const audience = fc.oneof(
  fc.constant("istio-ca"),
  fc.constant(["other", "istio-ca"]),
  fc.array(word, { maxLength: 3 }),
  json,
);
const instant = fc.oneof(fc.constantFrom(now + 1, now + 3_600, now, now - 1, 0, -1, 2 ** 53, 1e300), fc.double(), json);
/** Mostly good, so that one bad claim is not hidden by another. */
function mostly<T>(good: T, wild: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: wild });
}
const claims = fc.record(
  {
    sub: fc.oneof(subject, fc.constant("system:serviceaccount:demo:backend")),
    aud: mostly(["istio-ca"], audience),
    exp: mostly(now + 3_600, instant),
    nbf: mostly(now, instant),
    iat: mostly(now, instant),
    iss: mostly(undefined, fc.oneof(word, json)),
    extra: json,
  },
  { requiredKeys: [] },
);
const pod = fc.record(
  {
    namespace: fc.oneof(fc.constant("demo"), json),
    serviceaccount: fc.oneof(fc.record({ name: fc.oneof(fc.constant("frontend"), json) }), json),
    pod: fc.oneof(fc.record({ name: json, uid: json }), json),
    node: json,
  },
  { requiredKeys: [] },
);

type Claims = Readonly<Record<string, unknown>>;

/** The SPIFFE ID that these claims are good for, worked out the long way; undefined when for none. */
function deserved({ sub, aud, exp, nbf }: Claims, given: { readonly iss: unknown; readonly trusted: string }) {
  const { iss, trusted } = given;
  if (iss !== trusted || typeof sub !== "string") return undefined;
  const audiences = typeof aud === "string" ? [aud] : Array.isArray(aud) ? aud : [];
  if (!audiences.includes("istio-ca")) return undefined;
  if (typeof exp !== "number" || !(exp > now)) return undefined;
  if (nbf !== undefined && (typeof nbf !== "number" || nbf > now + 120)) return undefined;
  const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
  const match = new RegExp(`^system:serviceaccount:(${label}):((?:${label}\\.)*${label})$`).exec(sub);
  return match === null ? undefined : `spiffe://cluster.local/ns/${match[1]}/sa/${match[2]}`;
}

describe("a token, whatever it is", () => {
  const genuine = [
    issuer.sign(),
    issuer.sign({ sub: "system:serviceaccount:demo:backend" }),
    cluster.sign({ ...bound }),
    stranger.sign(),
  ];
  const known = new Map<string, string>([
    [claimsOf(genuine[0]), "spiffe://cluster.local/ns/demo/sa/frontend"],
    [claimsOf(genuine[1]), "spiffe://cluster.local/ns/demo/sa/backend"],
    [claimsOf(genuine[2]), "spiffe://cluster.local/ns/demo/sa/frontend"],
  ]);
  const words = [
    ...[".", "..", "=", "-", "_", "+", "/", "Bearer ", "\0", "e30", "eyJhbGciOiJub25lIn0.", "A".repeat(9_000)],
    ...genuine.flatMap((token) => token.split(".")),
  ];

  it("names nobody unless an issuer has signed just these claims", { timeout: fuzzTimeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(mutatedText(genuine, words), fc.boolean(), async (token, online) => {
        const result = await ask(online ? oidc : kubernetes, token);
        expect(["authenticated", "rejected", "unavailable"]).toContain(result.kind);
        if (result.kind === "authenticated") expect(result.caller.spiffeId).toBe(known.get(claimsOf(token)));
      }),
      fuzzParameters(0.1),
    );
  });
});

describe("a token that an issuer has signed, whatever it says", () => {
  it("names the service account that is its subject, or nobody", { timeout: fuzzTimeoutMs }, async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(claims, async (said: Claims) => {
        const result = await ask(oidc, issuer.sign({ ...said, iss: said.iss ?? issuer.issuer }));
        const iss = said.iss ?? issuer.issuer;
        const full = { sub: "system:serviceaccount:demo:frontend", aud: "istio-ca", exp: now + 3_600, ...said };
        const wanted = deserved(full, { iss, trusted: issuer.issuer });
        if (result.kind !== "authenticated") return;
        accepted++;
        expect(result.caller).toEqual({ spiffeId: wanted, source: "token" });
      }),
      fuzzParameters(0.05),
    );
    expect(accepted).toBeGreaterThan(0);
  });

  it("names the pod it is bound to only where all of it fits together", { timeout: fuzzTimeoutMs }, async () => {
    let accepted = 0;
    const anyPod = fc.tuple(claims, fc.oneof(pod, fc.constant(bound["kubernetes.io"]), json), fc.boolean());
    await fc.assert(
      fc.asyncProperty(anyPod, async ([said, binding, plain]) => {
        const given: Claims = { ...(plain ? {} : said), "kubernetes.io": binding };
        const result = await ask(kubernetes, cluster.sign({ ...given, iss: given.iss ?? cluster.issuer }));
        if (result.kind !== "authenticated") return;
        accepted++;
        const full: Claims = {
          sub: "system:serviceaccount:demo:frontend",
          aud: "istio-ca",
          exp: now + 3_600,
          ...given,
        };
        const iss = given.iss ?? cluster.issuer;
        const { caller } = result;
        expect(caller.spiffeId).toBe(deserved(full, { iss, trusted: cluster.issuer }));
        const { namespace, serviceAccount } = caller.kubernetes ?? {};
        expect(caller.spiffeId).toBe(`spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`);
        expect(binding).toMatchObject({ namespace });
      }),
      fuzzParameters(0.05),
    );
    expect(accepted).toBeGreaterThan(0);
  });
});

function claimsOf(token: string | undefined): string {
  return token?.split(".")[1] ?? "";
}
