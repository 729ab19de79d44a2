import type { Authenticator, PresentedCredentials } from "@signet/ca";
import { authenticatorSuite } from "@signet/ca/testing";
import { createJwtVerifier } from "@signet/jwt";
import { fakeJwksSource, testIssuer } from "@signet/jwt/testing";
import { KubernetesError, type TokenReviewStatus } from "@signet/kubernetes";
import { createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import type { TrustBundle } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { describe, it } from "vitest";
import { parseCidrList } from "../cidr-list.ts";
import { createClusterDirectory } from "../clusters/cluster-directory.ts";
import { createLocalTokenVerifier } from "../clusters/local-token-verifier.ts";
import type { TokenChecker } from "../clusters/token-checker.ts";
import { createTokenReviewer } from "../clusters/token-reviewer.ts";
import { createClientCertificateAuthenticator } from "./client-certificate.ts";
import { createForwardedClientCertAuthenticator } from "./forwarded-client-cert.ts";
import { createKubernetesTokenAuthenticator } from "./kubernetes-token.ts";
import { createOidcTokenAuthenticator } from "./oidc-token.ts";

const tools = { describe, it };
const clock = new FakeClock();
const trustDomain = parseTrustDomain("cluster.local");
const trustDomains = { trustDomain, trustDomainAliases: new Set([parseTrustDomain("old.example")]) };
const bare: PresentedCredentials = { peerAddress: "10.1.2.3:4711", transport: "tls" };
const [frontend, backend] = ["frontend", "backend"] as const;
const spiffeIdOf = (name: string) => parseSpiffeId(`spiffe://cluster.local/ns/demo/sa/${name}`);

const root = await testRoot();
async function showCertificate(name: string, uri: string = spiffeIdOf(name)) {
  const { chain } = await testLeaf(root, { spiffeId: uri });
  const caller = { spiffeId: spiffeIdOf(name), source: "client-certificate" as const };
  return { presented: { ...bare, clientCertificateChain: chain.map(({ der }) => der) }, caller };
}

// What TLS refused is rejected, as a test beside this one shows; here it is as if nothing had been presented.
function deafToProblems({ name, authenticate }: Authenticator): Authenticator {
  return { name, authenticate: ({ clientCertificateProblem: _, ...rest }, signal) => authenticate(rest, signal) };
}

authenticatorSuite(tools, {
  name: "client certificate",
  credential: "clientCertificateChain",
  async create() {
    const trustBundle = createSource<TrustBundle>(root.trustBundle);
    const authenticator = createClientCertificateAuthenticator({ ...trustDomains, trustBundle }, clock);
    return {
      authenticator: deafToProblems(authenticator),
      accepted: [
        await showCertificate(frontend),
        await showCertificate(backend),
        await showCertificate(frontend, "spiffe://old.example/ns/demo/sa/frontend"),
      ],
    };
  },
  async createUnavailable() {
    const trustBundle = createSource<TrustBundle>();
    const authenticator = createClientCertificateAuthenticator({ ...trustDomains, trustBundle }, clock);
    return { authenticator, presented: (await showCertificate(frontend)).presented };
  },
});

const oidc = testIssuer({ issuer: "https://issuer.example", clock });

function oidcAuthenticator(keys = oidc.keys): Authenticator {
  const issuers = [{ issuer: oidc.issuer, audiences: ["istio-ca"], keys }];
  const verifier = createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock);
  return createOidcTokenAuthenticator({ verifier, trustDomain }, clock);
}

function showToken(name: string) {
  const bearerToken = oidc.sign({ sub: `system:serviceaccount:demo:${name}` });
  return { presented: { ...bare, bearerToken }, caller: { spiffeId: spiffeIdOf(name), source: "token" as const } };
}

authenticatorSuite(tools, {
  name: "OIDC token",
  credential: "bearerToken",
  create: async () => ({
    authenticator: oidcAuthenticator(),
    accepted: [showToken(frontend), showToken(backend)],
    refused: [
      {
        name: "foreign",
        presented: { ...bare, bearerToken: oidc.sign({ aud: "vault" }) },
        reason: "audience-mismatch",
      },
    ],
  }),
  async createUnavailable() {
    const keys = fakeJwksSource({ issuer: oidc.issuer });
    keys.fail("connection refused");
    return { authenticator: oidcAuthenticator(keys), presented: showToken(frontend).presented };
  },
});

const cluster = testIssuer({ issuer: "https://kubernetes.default.svc", alg: "RS256", clock });

function byCluster(tokens: TokenChecker): Authenticator {
  const clusters = createClusterDirectory({
    primary: { id: "Kubernetes", tokens, tasks: [] },
    aliases: new Map([["home", "Kubernetes"]]),
    remote: { get: () => undefined, ids: () => [], complete: () => true },
  });
  return createKubernetesTokenAuthenticator({ clusters, trustDomain });
}

function showPodToken(name: string, clusterId?: string) {
  const bearerToken = cluster.sign({
    sub: `system:serviceaccount:demo:${name}`,
    "kubernetes.io": {
      namespace: "demo",
      serviceaccount: { name, uid: "s1" },
      pod: { name: `${name}-1`, uid: `uid of ${name}` },
    },
  });
  const pod = { podName: `${name}-1`, podUid: `uid of ${name}`, clusterId: "Kubernetes" };
  return {
    presented: { ...bare, bearerToken, ...(clusterId !== undefined && { clusterId }) },
    caller: {
      spiffeId: spiffeIdOf(name),
      source: "token" as const,
      kubernetes: { namespace: "demo", serviceAccount: name, ...pod },
    },
  };
}

const podTokens = {
  accepted: [showPodToken(frontend), showPodToken(backend, "Kubernetes"), showPodToken(frontend, "home")] as const,
  refused: [
    {
      name: "of a cluster that nobody knows",
      presented: { ...showPodToken(frontend).presented, clusterId: "mars" },
      reason: "cluster-unknown" as const,
    },
  ],
};

/** An API server that vouches for exactly the good tokens. */
async function reviewToken({ token }: { readonly token: string }): Promise<TokenReviewStatus> {
  const shown = podTokens.accepted.find(({ presented }) => presented.bearerToken === token);
  if (shown === undefined) return { authenticated: false, audiences: [], error: "invalid bearer token" };
  const { serviceAccount, podName, podUid } = shown.caller.kubernetes;
  return {
    authenticated: true,
    audiences: ["istio-ca"],
    user: {
      username: `system:serviceaccount:demo:${serviceAccount}`,
      uid: "s1",
      groups: ["system:serviceaccounts"],
      extra: new Map([
        ["authentication.kubernetes.io/pod-name", [podName]],
        ["authentication.kubernetes.io/pod-uid", [podUid]],
      ]),
    },
  };
}

const hang = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

type ReviewToken = (request: { readonly token: string }, signal: AbortSignal) => Promise<TokenReviewStatus>;

function byReview(review: ReviewToken): Authenticator {
  const api = { reviewToken: review };
  return byCluster(createTokenReviewer({ api, audiences: ["istio-ca"], cacheTtlMs: 10_000 }, clock));
}

authenticatorSuite(tools, {
  name: "Kubernetes token by review",
  credential: "bearerToken",
  create: async () => ({ authenticator: byReview(reviewToken), ...podTokens }),
  createStalled: async () => ({
    authenticator: byReview((_, signal) => hang(signal)),
    presented: showPodToken(frontend).presented,
  }),
  createUnavailable: async () => ({
    authenticator: byReview(() => Promise.reject(new KubernetesError("unavailable", "connection refused"))),
    presented: showPodToken(frontend).presented,
  }),
});

type GetJson = (path: string, signal: AbortSignal) => Promise<unknown>;
const getJson: GetJson = async (path) =>
  path.startsWith("/openid/") ? JSON.parse(cluster.jwks) : { issuer: cluster.issuer };

async function locally(get: GetJson): Promise<Authenticator> {
  const api = { server: "https://10.96.0.1", getJson: get };
  const events = { fetched: () => {}, fetchFailed: () => {} };
  const verifier = createLocalTokenVerifier({ api, audiences: ["istio-ca"] }, { clock, random: () => 0.5, events });
  const sleepers = clock.sleepers();
  // It waits for its clock, which no test here moves.
  void verifier.task.run(new AbortController().signal);
  await clock.untilSleepers(sleepers + 1);
  return byCluster(verifier);
}

authenticatorSuite(tools, {
  name: "Kubernetes token by the cluster's keys",
  credential: "bearerToken",
  create: async () => ({
    authenticator: await locally(getJson),
    ...podTokens,
    refused: [
      ...podTokens.refused,
      {
        name: "without claims of Kubernetes",
        presented: { ...bare, bearerToken: cluster.sign() },
        reason: "pod-claims-missing" as const,
      },
    ],
  }),
  createStalled: async () => ({
    authenticator: await locally((path, signal) =>
      path.startsWith("/openid/") ? hang(signal) : getJson(path, signal),
    ),
    presented: showPodToken(frontend).presented,
  }),
  createUnavailable: async () => ({
    authenticator: await locally(() => Promise.reject(new KubernetesError("unavailable", "connection refused"))),
    presented: showPodToken(frontend).presented,
  }),
});

function showHeader(name: string, before = "") {
  return {
    presented: { ...bare, forwardedClientCert: `${before}Hash=0a;Subject="";URI=${spiffeIdOf(name)}` },
    caller: { spiffeId: spiffeIdOf(name), source: "forwarded-client-certificate" as const },
  };
}

authenticatorSuite(tools, {
  name: "forwarded client certificate",
  credential: "forwardedClientCert",
  create: async () => ({
    authenticator: createForwardedClientCertAuthenticator({
      ...trustDomains,
      trustedGateways: parseCidrList(["10.1.0.0/16"]),
    }),
    accepted: [showHeader(frontend), showHeader(backend, `URI=${spiffeIdOf(frontend)},`)],
    refused: [
      {
        name: "from somewhere else",
        presented: { ...showHeader(frontend).presented, peerAddress: "10.2.0.1:4711" },
        reason: "peer-untrusted",
      },
    ],
  }),
});
