import { describe, expect, it } from "vitest";
import { parseCaServerSettings } from "./settings.ts";

function settings(env: Record<string, string>, args: string[] = []) {
  const parsed = parseCaServerSettings({ env, args });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  return parsed.settings;
}

function problems(env: Record<string, string>, args: string[] = []): readonly string[] {
  const parsed = parseCaServerSettings({ env, args });
  return parsed.kind === "invalid" ? parsed.problems : [];
}

describe("parseCaServerSettings", () => {
  it("has Istio's defaults", () => {
    const { trustedGateways, ...others } = settings({});
    expect(trustedGateways.cidrs).toEqual([]);
    expect(others).toEqual({
      caListen: { host: "::", port: 15012 },
      monitoringListen: { host: "::", port: 15014 },
      httpListen: { host: "::", port: 8080 },
      trustDomain: "cluster.local",
      trustDomainAliases: new Set(),
      meshCaCertificates: [],
      meshConfig: { path: "./etc/istio/config/mesh", required: false, namesTrustDomain: true },
      namespace: "istio-system",
      signing: {
        primary: "istio",
        kubernetes: {
          newSecretName: "istio-ca-secret",
          rootConfigMap: "istio-ca-root-cert",
          crlConfigMap: "istio-ca-crl",
          watchNamespaces: [],
        },
        rootCaDirectory: "./etc/cacerts",
        stateDirectory: "./var/lib/signet",
        selfSigned: { keyType: "RSA-2048", ttlMs: 87_600 * 3_600_000 },
      },
      limits: { defaultTtlMs: 24 * 3_600_000, maxTtlMs: 2_160 * 3_600_000 },
      issuers: [],
      trustedNodeAccounts: new Set(),
      servingNames: {
        dnsNames: ["istiod.istio-system.svc", "istiod-remote.istio-system.svc", "istio-pilot.istio-system.svc"],
        ipAddresses: [],
      },
      transport: {
        maxConcurrentStreams: 100_000,
        maxReceiveBytes: 4_194_304,
        keepaliveTimeMs: 30_000,
        keepaliveTimeoutMs: 10_000,
      },
      callDeadlineMs: 60_000,
      logLevel: "info",
    });
  });

  it("lets a flag win over the environment", () => {
    const { limits } = settings({ DEFAULT_WORKLOAD_CERT_TTL: "2h" }, ["--default-workload-cert-ttl=1h"]);
    expect(limits.defaultTtlMs).toBe(3_600_000);
  });

  it.each([
    [{}, "RSA-2048"],
    [{ CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE: "4096" }, "RSA-4096"],
    [{ SIGNET_SELF_SIGNED_CA_KEY: "rsa-2048" }, "RSA-2048"],
    [{ SIGNET_SELF_SIGNED_CA_KEY: "p256" }, "P-256"],
    [{ SIGNET_SELF_SIGNED_CA_KEY: "p256", CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE: "4096" }, "P-256"],
  ])("chooses the root's key by %j: %s", (env, keyType) => {
    expect(settings(env).signing.selfSigned.keyType).toBe(keyType);
  });

  it("writes a dot for an @ in the trust domain, as Istio does in SPIFFE IDs", () => {
    const { trustDomain, meshConfig } = settings({ SIGNET_TRUST_DOMAIN: "team@example.com" });
    expect(trustDomain).toBe("team.example.com");
    expect(meshConfig.namesTrustDomain).toBe(false);
  });

  it("requires a mesh config that it is told of", () => {
    expect(settings({}, ["--meshConfig", "/etc/mesh"]).meshConfig).toEqual({
      ...{ path: "/etc/mesh", required: true, namesTrustDomain: true },
    });
  });

  it("finds the cluster that it runs in, unless it is told of another", () => {
    const inCluster = { KUBERNETES_SERVICE_HOST: "10.96.0.1" };
    const { kubernetes } = settings({ ...inCluster, TOKEN_AUDIENCES: "istio-ca,mesh" });
    expect(kubernetes).toEqual({
      source: { kind: "in-cluster" },
      clusterId: "Kubernetes",
      clusterAliases: new Map(),
      verification: "review",
      reviewCacheTtlMs: 10_000,
      audiences: ["istio-ca", "mesh"],
      publishRoots: true,
    });
    const other = settings({
      ...{ ...inCluster, SIGNET_KUBECONFIG: "/etc/kubeconfig", CLUSTER_ID: "east" },
      ...{ SIGNET_KUBERNETES_TOKEN_VERIFICATION: "local", SIGNET_TOKEN_REVIEW_CACHE_TTL: "0s" },
      SIGNET_PUBLISH_ROOTS: "false",
    });
    expect(other.kubernetes).toMatchObject({
      source: { kind: "kubeconfig-file", path: "/etc/kubeconfig" },
      ...{ clusterId: "east", verification: "local", reviewCacheTtlMs: 0, publishRoots: false },
    });
  });

  it("reads aliases of clusters from istiod's flag", () => {
    const { kubernetes } = settings({ SIGNET_KUBECONFIG: "k" }, ["--clusterAliases", "a=east, b=west"]);
    expect(kubernetes?.clusterAliases).toEqual(
      new Map([
        ["a", "east"],
        ["b", "west"],
      ]),
    );
  });

  it("reads networks of gateways and accounts of node proxies", () => {
    const { trustedGateways, trustedNodeAccounts } = settings({
      ...{ TRUSTED_GATEWAY_CIDR: "10.0.0.0/8, 2001:db8::/32", SIGNET_KUBECONFIG: "k" },
      CA_TRUSTED_NODE_ACCOUNTS: "istio-system/ztunnel,kube-system/ztunnel",
    });
    expect(trustedGateways.cidrs).toEqual(["10.0.0.0/8", "2001:db8::/32"]);
    expect(trustedNodeAccounts).toEqual(new Set(["istio-system/ztunnel", "kube-system/ztunnel"]));
  });

  it("chooses what signs and what stands by", () => {
    const vault = { VAULT_ADDR: "https://vault.example:8200", VAULT_TOKEN: "t" };
    expect(settings({}).signing).not.toHaveProperty("standby");
    // As it stands in a shell.
    expect(settings({ VAULT_ADDR: "http://vault.example" }).signing).not.toHaveProperty("vault");
    const { signing } = settings({ ...vault, SIGNET_SIGNING_CA: "vault", SIGNET_STANDBY_CA: "istio" });
    expect(signing).toMatchObject({ primary: "vault", standby: "istio", vault: { address: vault.VAULT_ADDR } });
  });

  it("takes its own certificate from files, all three of them", () => {
    const files = ["--tlsCertFile", "c", "--tlsKeyFile", "k", "--caCertFile", "r"];
    expect(settings({}, files).servingFiles).toEqual({ certificateFile: "c", keyFile: "k", rootFile: "r" });
  });

  it("collects the names of the serving certificate", () => {
    const { servingNames } = settings({
      POD_NAMESPACE: "mesh",
      REVISION: "1-30",
      ISTIOD_CUSTOM_HOST: "istiod.example.com",
      SIGNET_SERVING_NAMES: "localhost,127.0.0.1,::1",
    });
    expect(servingNames).toEqual({
      dnsNames: [
        ...["istiod.mesh.svc", "istiod-remote.mesh.svc", "istio-pilot.mesh.svc", "istiod-1-30.mesh.svc"],
        ...["istiod.example.com", "localhost"],
      ],
      ipAddresses: ["127.0.0.1", "::1"],
    });
    expect(settings({ REVISION: "default" }).servingNames.dnsNames).toHaveLength(3);
  });

  it("asks for help before anything else", () => {
    expect(parseCaServerSettings({ env: { SIGNET_TRUST_DOMAIN: "!" }, args: ["--help"] }).kind).toBe("help");
  });

  it("reports every problem at once", () => {
    expect(
      problems({ DEFAULT_WORKLOAD_CERT_TTL: "a day", SIGNET_CA_LISTEN: "15012", JWT_RULE: "{" }, ["--no-such-flag"]),
    ).toHaveLength(4);
    expect(
      problems({
        DEFAULT_WORKLOAD_CERT_TTL: "48h",
        MAX_WORKLOAD_CERT_TTL: "24h",
        ENABLE_CA_SERVER: "false",
        TRUSTED_GATEWAY_CIDR: "10.0.0.1,10.0.0.2",
        POD_NAMESPACE: "a,b",
        SIGNET_SERVING_NAMES: "spiffe://x",
        AUDIENCE: "istio-ca",
      }),
    ).toHaveLength(7);
  });

  it.each<[string, Record<string, string>]>([
    ["a trust domain with a port", { SIGNET_TRUST_DOMAIN: "cluster.local:80" }],
    [
      "an RSA key that contradicts itself",
      { SIGNET_SELF_SIGNED_CA_KEY: "rsa-2048", CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE: "4096" },
    ],
    ["a CA that nobody knows", { EXTERNAL_CA: "ISTIOD_RA_ISTIO_API" }],
    ["signers of a cluster without one", { EXTERNAL_CA: "ISTIOD_RA_KUBERNETES_API", K8S_SIGNER: "example.com/mesh" }],
    ["Vault without its address", { SIGNET_SIGNING_CA: "vault" }],
    ["Vault without a token", { SIGNET_SIGNING_CA: "vault", VAULT_ADDR: "https://vault.example:8200" }],
    ["a standby that is the primary", { SIGNET_STANDBY_CA: "istio" }],
    [
      "Vault beside the signers of a cluster",
      {
        ...{ SIGNET_SIGNING_CA: "vault", VAULT_ADDR: "https://vault.example:8200", VAULT_TOKEN: "t" },
        ...{ EXTERNAL_CA: "ISTIOD_RA_KUBERNETES_API", K8S_SIGNER: "example.com/mesh", SIGNET_KUBECONFIG: "k" },
      },
    ],
    [
      "a standby where callers choose their signers",
      {
        ...{ SIGNET_STANDBY_CA: "vault", VAULT_ADDR: "https://vault.example:8200", VAULT_TOKEN: "t" },
        ...{ EXTERNAL_CA: "ISTIOD_RA_KUBERNETES_API", CERT_SIGNER_DOMAIN: "example.com", SIGNET_KUBECONFIG: "k" },
      },
    ],
    ["one file of its certificate without the others", { SIGNET_TLS_CERT_FILE: "c" }],
    ["callers whom nobody knows", { XDS_AUTH: "false" }],
    ["tokens in the clear", { XDS_AUTH_PLAINTEXT: "true" }],
    ["local verification without a cluster", { SIGNET_KUBERNETES_TOKEN_VERIFICATION: "local" }],
    ["node proxies without a cluster", { CA_TRUSTED_NODE_ACCOUNTS: "istio-system/ztunnel" }],
    ["node proxies without a namespace", { CA_TRUSTED_NODE_ACCOUNTS: "ztunnel", SIGNET_KUBECONFIG: "k" }],
    ["node proxies of strange names", { CA_TRUSTED_NODE_ACCOUNTS: "a/b/c", SIGNET_KUBECONFIG: "k" }],
    ["a gateway without a prefix length", { TRUSTED_GATEWAY_CIDR: "10.0.0.1" }],
    ["gateways anywhere", { TRUSTED_GATEWAY_CIDR: "0.0.0.0/0" }],
    ["an alias of nothing", { CLUSTER_ALIASES: "a=" }],
    ["an alias with two meanings", { CLUSTER_ALIASES: "a=b,a=c" }],
    ["our own name for another cluster", { CLUSTER_ALIASES: "Kubernetes=east" }],
    ["a cluster without a name", { CLUSTER_ID: "" }],
    ["a yes of the API server that lasts for hours", { SIGNET_TOKEN_REVIEW_CACHE_TTL: "2h" }],
    ["a plugged-in CA from somewhere else", { USE_REMOTE_CERTS: "true" }],
    ["a certificate from somewhere else", { PILOT_CERT_PROVIDER: "k8s.io/signer" }],
    ["ciphers it does not choose", { COMPLIANCE_POLICY: "fips-140-2" }],
    ["a weak RSA key", { CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE: "1024" }],
    ["a lifetime of nothing", { MAX_WORKLOAD_CERT_TTL: "0s" }],
    ["an IP address as custom host", { ISTIOD_CUSTOM_HOST: "127.0.0.1" }],
    ["a revision with a dot", { REVISION: "1.30" }],
    ["a ping that no timer can wait for", { GRPC_KEEPALIVE_INTERVAL: "600h" }],
    ["an answer that no timer can wait for", { GRPC_KEEPALIVE_TIMEOUT: "600h" }],
  ])("refuses %s", (_, env) => {
    expect(problems(env).length).toBeGreaterThan(0);
  });
});
