import { readDocumentedAccess, type VaultCaSubject, type VaultUnderTest, vaultCaSuite } from "@signet/ca-vault/testing";
import { afterAll, beforeAll, describe, it } from "vitest";
import { kubeObjects } from "./support/kube-objects.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";
import { findTestVault, type VaultServer } from "./support/vault-server.ts";

const foundVault = await findTestVault();
const foundKube = await findTestKube();
// A Vault of somebody else cannot reach an API server on our loopback.
const withKubernetes = foundKube.skipped === "" && foundVault.skippedOwn === "";

describe.skipIf(foundVault.skipped)(`a signing CA behind the real Vault ${foundVault.skipped}`, () => {
  let vault: VaultServer;
  let kube: KubeServer | undefined;

  beforeAll(async () => {
    vault = await foundVault.start();
    kube = withKubernetes ? await foundKube.start() : undefined;
  });

  afterAll(async () => {
    await vault?.close();
    await kube?.close();
  });

  const kubernetes: VaultCaSubject["kubernetes"] = async (operator, mount) => {
    if (kube === undefined) throw new Error("there is no API server");
    const objects = kubeObjects(kube);
    const namespace = await objects.createNamespace("vault");
    const account = { namespace, serviceAccount: "istiod" };
    const reviewer = { namespace, serviceAccount: "vault" };
    for (const { serviceAccount } of [account, reviewer]) await objects.createServiceAccount(namespace, serviceAccount);
    const reviews = { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] };
    await objects.grant(reviewer, [reviews]);
    const audiences = [kube.issuer];
    await operator.write(`auth/${mount}/config`, {
      kubernetes_host: kube.url,
      kubernetes_ca_cert: kube.caPem,
      token_reviewer_jwt: await objects.requestToken({ ...reviewer, audiences }),
      disable_local_ca_jwt: true,
    });
    return { jwt: await objects.requestToken({ ...account, audiences }), ...account };
  };

  vaultCaSuite(
    { describe, it, afterAll },
    {
      name: "the real Vault",
      vault: async () => underTest(vault),
      access: readDocumentedAccess(),
      ...(withKubernetes ? { kubernetes } : {}),
    },
  );
});

function underTest({ address, caPem, rootToken, own }: VaultServer): VaultUnderTest {
  const seal = own && { seal: () => own.seal(), unseal: () => own.unseal() };
  return { address, caPem, rootToken, ...seal };
}
