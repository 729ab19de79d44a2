import { generateKeyPairSync } from "node:crypto";
import type { AuthenticationResult, IndexedPod, PresentedCredentials } from "@signet/ca";
import { buildTestCsr } from "@signet/ca/testing";
import { Status } from "@signet/grpc";
import { createJwtVerifier } from "@signet/jwt";
import { testIssuer } from "@signet/jwt/testing";
import { createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import type { KeyPair, TrustBundle } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { createClientCertificateAuthenticator } from "./authenticators/client-certificate.ts";
import { createForwardedClientCertAuthenticator } from "./authenticators/forwarded-client-cert.ts";
import { createOidcTokenAuthenticator } from "./authenticators/oidc-token.ts";
import { parseCidrList } from "./cidr-list.ts";
import { callCertificateService } from "./testing/certificate-bench.ts";
import {
  backend,
  impersonating,
  meshTrustDomains,
  podsOf,
  proxyPod,
  proxyTokens,
  workload,
} from "./testing/node-proxy-bench.ts";

const clock = new FakeClock();
const never = new AbortController().signal;
const { trustDomain } = meshTrustDomains;
const frontend = "spiffe://cluster.local/ns/demo/sa/frontend";
const bare: PresentedCredentials = { peerAddress: "10.1.2.3:4711", transport: "tls" };

const root = await testRoot();

async function byCertificate(options: Parameters<typeof testLeaf>[1], bundle = root.trustBundle) {
  const { chain } = await testLeaf(root, options);
  const trustBundle = createSource<TrustBundle>(bundle);
  const presented = { ...bare, clientCertificateChain: chain.map(({ der }) => der) };
  return createClientCertificateAuthenticator({ ...meshTrustDomains, trustBundle }, clock).authenticate(
    presented,
    never,
  );
}

function byHeader(forwardedClientCert: string, peerAddress = bare.peerAddress): Promise<AuthenticationResult> {
  const trustedGateways = parseCidrList(["10.1.0.0/16"]);
  const authenticator = createForwardedClientCertAuthenticator({ ...meshTrustDomains, trustedGateways });
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
    expect(await proxyTokens(audiences).check("a.b.c", "10.0.0.1:4000", never)).toMatchObject({
      reason: "audience-mismatch",
    });
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
