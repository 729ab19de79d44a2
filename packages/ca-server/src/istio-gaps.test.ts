import { generateKeyPairSync } from "node:crypto";
import type { AuthenticationResult, IndexedPod, PodIndex, PresentedCredentials } from "@signet/ca";
import { buildTestCsr, fakeSigningCa } from "@signet/ca/testing";
import { Status } from "@signet/grpc";
import { createJwtVerifier } from "@signet/jwt";
import { testIssuer } from "@signet/jwt/testing";
import { createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { type KeyPair, parseCertificates, type TrustBundle } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { createClientCertificateAuthenticator } from "./authenticators/client-certificate.ts";
import { createForwardedClientCertAuthenticator } from "./authenticators/forwarded-client-cert.ts";
import { createKubernetesTokenAuthenticator } from "./authenticators/kubernetes-token.ts";
import { createOidcTokenAuthenticator } from "./authenticators/oidc-token.ts";
import { parseCidrList } from "./cidr-list.ts";
import { createClusterDirectory } from "./clusters/cluster-directory.ts";
import { createTokenReviewer } from "./clusters/token-reviewer.ts";
import { type BenchCall, callCertificateService } from "./testing/certificate-bench.ts";

const clock = new FakeClock();
const never = new AbortController().signal;
const trustDomain = parseTrustDomain("cluster.local");
const trustDomains = { trustDomain, trustDomainAliases: new Set([parseTrustDomain("old.example")]) };
const frontend = "spiffe://cluster.local/ns/demo/sa/frontend";
const bare: PresentedCredentials = { peerAddress: "10.1.2.3:4711", transport: "tls" };

const workload: IndexedPod = {
  ...{ namespace: "demo", name: "backend-1", uid: "w", serviceAccount: "backend" },
  ...{ nodeName: "node-1", phase: "Running" },
};
const proxyPod: IndexedPod = {
  ...{ namespace: "istio-system", name: "ztunnel-1", uid: "z", serviceAccount: "ztunnel" },
  ...{ nodeName: "node-1", phase: "Running" },
};

function podsOf(...pods: IndexedPod[]): PodIndex {
  return {
    ready: () => true,
    pod: (namespace, name) => pods.find((pod) => pod.namespace === namespace && pod.name === name),
    podsOn: (node, namespace, account) =>
      pods.filter((pod) => pod.nodeName === node && pod.namespace === namespace && pod.serviceAccount === account),
  };
}

/** The API server's word for a node proxy's token, in any cluster. */
function proxyTokens(audiences: readonly string[] = ["istio-ca"]) {
  const api = {
    reviewToken: async () => ({
      authenticated: true,
      audiences,
      user: {
        ...{ username: "system:serviceaccount:istio-system:ztunnel", uid: "s", groups: ["system:serviceaccounts"] },
        extra: new Map([
          ["authentication.kubernetes.io/pod-name", ["ztunnel-1"]],
          ["authentication.kubernetes.io/pod-uid", ["z"]],
        ]),
      },
    }),
  };
  return createTokenReviewer({ api, audiences: ["istio-ca"], cacheTtlMs: 0 }, clock);
}

function impersonating(identity: string, pods: PodIndex, headers: Record<string, string> = {}): BenchCall {
  const east = { id: "east", tokens: proxyTokens(), pods, tasks: [] };
  const clusters = createClusterDirectory({
    primary: { id: "Kubernetes", tokens: proxyTokens(), pods, tasks: [] },
    aliases: new Map([
      ["home", "Kubernetes"],
      ["orient", "east"],
    ]),
    remote: { get: (id) => (id === "east" ? east : undefined), ids: () => ["east"], complete: () => true },
  });
  return {
    authenticators: [createKubernetesTokenAuthenticator({ clusters, trustDomain })],
    impersonation: {
      ...trustDomains,
      trustedNodeAccounts: new Set(["istio-system/ztunnel"]),
      podIndexOf: (id) => clusters.podsOf(id),
    },
    metadata: { ImpersonatedIdentity: identity },
    headers: { authorization: "Bearer a.b.c", ...headers },
    clock,
  };
}

const backend = "spiffe://cluster.local/ns/demo/sa/backend";
const root = await testRoot();

async function byCertificate(options: Parameters<typeof testLeaf>[1], bundle = root.trustBundle) {
  const { chain } = await testLeaf(root, options);
  const trustBundle = createSource<TrustBundle>(bundle);
  const presented = { ...bare, clientCertificateChain: chain.map(({ der }) => der) };
  return createClientCertificateAuthenticator({ ...trustDomains, trustBundle }, clock).authenticate(presented, never);
}

function byHeader(forwardedClientCert: string, peerAddress = bare.peerAddress): Promise<AuthenticationResult> {
  const trustedGateways = parseCidrList(["10.1.0.0/16"]);
  const authenticator = createForwardedClientCertAuthenticator({ ...trustDomains, trustedGateways });
  return authenticator.authenticate({ ...bare, peerAddress, forwardedClientCert }, never);
}

async function byOidc(claims: Record<string, unknown>): Promise<AuthenticationResult> {
  const issuer = testIssuer({ issuer: "https://issuer.example", clock });
  const issuers = [{ issuer: issuer.issuer, audiences: ["istio-ca"], keys: issuer.keys }];
  const verifier = createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock);
  const presented = { ...bare, bearerToken: issuer.sign(claims) };
  return createOidcTokenAuthenticator({ verifier, trustDomain }, clock).authenticate(presented, never);
}

function rsaKey(bits: number): KeyPair {
  const pair = generateKeyPairSync("rsa", { modulusLength: bits });
  return { ...pair, spki: pair.publicKey.export({ type: "spki", format: "der" }), info: { kind: "rsa", bits } };
}

describe("what Istio gets wrong about security, and this server does not", () => {
  it.each([
    "spiffe://x,victim.example,y/ns/demo/sa/backend",
    "spiffe://other.example/ns/demo/sa/backend",
    "spiffe://cluster.local/ns/demo/sa/backend,spiffe://cluster.local/ns/demo/sa/admin",
    "spiffe://cluster.local/ns/demo/sa/backend/",
    "SPIFFE://cluster.local/ns/demo/sa/backend",
  ])("S1: a node proxy gets no name like %s", async (identity) => {
    const { code, log } = await callCertificateService(impersonating(identity, podsOf(proxyPod, workload)));
    expect(code).toBe(Status.UNAUTHENTICATED);
    expect(log).toMatchObject([{ message: "impersonation refused" }]);
  });

  it("S1: a workload of an alias of the trust domain gets its name in ours", async () => {
    const call = impersonating("spiffe://old.example/ns/demo/sa/backend", podsOf(proxyPod, workload));
    const { leaf } = await callCertificateService(call);
    expect(leaf?.subjectAltNames).toEqual([{ kind: "uri", value: backend }]);
  });

  it.each<[IndexedPod["phase"], Status | "OK"]>([
    ["Running", "OK"],
    // A node proxy is told of a pod before its first container runs.
    ["Pending", "OK"],
    ["Succeeded", Status.UNAUTHENTICATED],
    ["Failed", Status.UNAUTHENTICATED],
    ["Unknown", Status.UNAUTHENTICATED],
  ])("S2: a pod in phase %s: %s", async (phase, code) => {
    const pods = podsOf(proxyPod, { ...workload, phase });
    expect((await callCertificateService(impersonating(backend, pods))).code).toBe(code);
  });

  it("S3: of a client's certificate only the SPIFFE ID is issued again", async () => {
    const names = [
      { kind: "uri", value: frontend },
      { kind: "dns", value: "victim.example" },
      { kind: "ip", value: "10.0.0.1" },
    ] as const;
    expect(await byCertificate({ subjectAltNames: names })).toEqual({
      kind: "authenticated",
      caller: { spiffeId: frontend, source: "client-certificate" },
    });
    const two = names.map((name) => (name.kind === "dns" ? ({ kind: "uri", value: backend } as const) : name));
    expect((await byCertificate({ subjectAltNames: two })).kind).toBe("rejected");
  });

  it("S3: of a forwarded certificate only the URI of the last hop is issued", async () => {
    const header = `URI=${backend},Hash=a;Subject="CN=victim.example";URI=${frontend};DNS=victim.example`;
    expect(await byHeader(header)).toMatchObject({ kind: "authenticated", caller: { spiffeId: frontend } });
    expect((await byHeader('Hash=a;Subject="CN=victim.example";DNS=victim.example')).kind).toBe("rejected");
    expect((await byHeader(`URI=${frontend}`, "127.0.0.1:1")).kind).toBe("rejected");
  });

  it.each<[Record<string, unknown>, string]>([
    [{ sub: "system:serviceaccountdemo:x:frontend:y" }, "rejected"],
    [{ sub: "system:serviceaccount" }, "rejected"],
    [{ sub: "system:serviceaccount:demo" }, "rejected"],
    [{ aud: "istio-ca" }, "authenticated"],
    [{ aud: ["vault", "istio-ca"] }, "authenticated"],
  ])("S4: an OIDC token with %j is %s", async (claims, kind) => {
    expect((await byOidc(claims)).kind).toBe(kind);
  });

  it.each([[[]], [["vault"]]])("S5: a token for the audiences %j is none for us", async (audiences) => {
    expect(await proxyTokens(audiences).check("a.b.c", never)).toMatchObject({ reason: "audience-mismatch" });
  });

  it("S6: a weak key gets no certificate", async () => {
    const { code, counted } = await callCertificateService({ csr: buildTestCsr({ key: rsaKey(1024) }) });
    expect(code).toBe(Status.INVALID_ARGUMENT);
    expect(counted).toContain('csr_sign_err_count{error="CSR_ERROR"}');
  });

  // S7 and S8 are about the agent.

  it("S9: client certificates are verified against the roots of this moment, aliases included", async () => {
    expect((await byCertificate({ spiffeId: "spiffe://old.example/ns/demo/sa/frontend" })).kind).toBe("authenticated");
    expect((await byCertificate({}, (await testRoot({ trustDomain: "new" })).trustBundle)).kind).toBe("rejected");
  });

  it("S10: a refusal tells the client nothing, and the log who said what", async () => {
    const call = impersonating("", podsOf(), { clusterid: "mars" });
    const { message, log } = await callCertificateService({ ...call, metadata: {} });
    expect(message).toBe("request authenticate failure");
    expect(log).toMatchObject([
      {
        message: "caller refused",
        fields: {
          clusterId: "mars",
          attempts: [
            {
              authenticator: "kubernetes-token",
              reason: "cluster-unknown",
              detail: 'cluster "mars" is none of Kubernetes, east',
            },
          ],
        },
      },
    ]);
  });
});

describe("bugs of recent Istio releases, not repeated here", () => {
  it("59768: no leaf outlives its signer", async () => {
    const signingCa = await fakeSigningCa();
    const limit = new Date(clock.now().getTime() + 60_000);
    signingCa.setNotAfterLimit(limit);
    const { leaf } = await callCertificateService({ signingCa, clock });
    expect(leaf?.notAfter).toEqual(limit);
  });

  it("serverca-expand-certs: each element of the answer is one certificate, and the last one the roots", async () => {
    const signingCa = await fakeSigningCa();
    const pem = signingCa.trustBundle.current()?.pem ?? "";
    const sign: typeof signingCa.sign = async (request, signal) => {
      const [leaf] = await signingCa.sign(request, signal);
      return [leaf, ...parseCertificates(pem), ...parseCertificates(pem)];
    };
    const { chain } = await callCertificateService({ signingCa: { ...signingCa, sign }, clock });
    expect(chain.slice(0, -1).map((element) => parseCertificates(element).length)).toEqual([1, 1, 1]);
    expect(chain.at(-1)).toBe(pem);
  });

  it.each([
    ["Kubernetes", "our own name"],
    ["", "no name"],
    ["home", "an alias of our own"],
    ["east", "a remote cluster"],
    ["orient", "an alias of a remote one"],
  ])("49011, 56021: impersonation works with the cluster %j, %s", async (clusterid) => {
    const call = impersonating(backend, podsOf(proxyPod, workload), { clusterid });
    const { code, leaf } = await callCertificateService(call);
    expect(code).toBe("OK");
    expect(leaf?.subjectAltNames).toEqual([{ kind: "uri", value: parseSpiffeId(backend) }]);
  });

  it("certificate-parsing-graceful-failures: an odd block in the roots does not take the others down", async () => {
    const signingCa = await fakeSigningCa();
    const bundle = signingCa.trustBundle.current();
    if (bundle === undefined) throw new Error("no trust bundle");
    signingCa.trustBundle.publish({ ...bundle, pem: `${bundle.pem}# odd\n`, skipped: ["block 2: odd"] });
    expect((await callCertificateService({ signingCa, clock })).code).toBe("OK");
  });

  // The others have tests of their own: reload and its metrics, partial directories, TLS Secrets and `..data` beside
  // `cacerts-directory` and `cacerts-watch`; certificates from files beside `serving/certificate-files`; stricter CSRs of
  // signers and ConfigMaps in @signet/ca-kubernetes.
});
