import {
  readDocumentedAccess,
  setVaultStage,
  textOf,
  untilReady,
  type VaultCaSubject,
  type VaultUnderTest,
  vaultCaSuite,
} from "@signet/ca-vault/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

  const access = readDocumentedAccess();
  vaultCaSuite(
    { describe, it, afterAll, skip: (name) => it.skip(name, () => undefined) },
    {
      name: "the real Vault",
      vault: async () => underTest(vault),
      access,
      skippedOwn: foundVault.skippedOwn,
      ...(withKubernetes ? { kubernetes } : {}),
    },
  );

  it.each([
    ["ec", 256],
    ["ec", 384],
    ["rsa", 2048],
  ])("signs with a root and with an intermediate whose %s-%i keys Vault has made", async (key_type, key_bits) => {
    const stage = await setVaultStage(underTest(vault), access);
    const { operator, mount } = stage;
    try {
      const subject = { common_name: "mesh", ttl: "24h", key_type, key_bits };
      const root = await operator.write(`${mount}/root/generate/internal`, subject);
      const running = await stage.open();
      await untilReady(running);
      await running.untilHealth("good");
      expect((await running.issue()).chain).toHaveLength(1);
      const request = await operator.write(`${mount}/intermediate/generate/internal`, subject);
      const path = `${mount}/issuer/${textOf(root, "issuer_id")}/sign-intermediate`;
      const signed = await operator.write(path, { csr: textOf(request, "csr"), common_name: "issuer", ttl: "12h" });
      const certificate = textOf(signed, "certificate");
      const { imported_issuers } = await operator.write(`${mount}/intermediate/set-signed`, { certificate });
      await operator.write(`${mount}/config/issuers`, { default: String(imported_issuers) });
      // The chain has changed under it: the answer shows that, and is good all the same.
      expect((await running.issue()).chain).toHaveLength(2);
    } finally {
      await stage.close();
    }
  });
});

function underTest({ address, caPem, rootToken, own }: VaultServer): VaultUnderTest {
  const seal = own && { seal: () => own.seal(), unseal: () => own.unseal() };
  return { address, caPem, rootToken, ...seal };
}
