import { readDocumentedAccess, type VaultUnderTest, vaultCaSuite } from "@signet/ca-vault/testing";
import { afterAll, beforeAll, describe, it } from "vitest";
import { findTestVault, type VaultServer } from "./support/vault-server.ts";

const found = await findTestVault();

describe.skipIf(found.skipped)(`a signing CA behind the real Vault ${found.skipped}`, () => {
  let server: VaultServer;

  beforeAll(async () => {
    server = await found.start();
  });

  afterAll(() => server?.close());

  vaultCaSuite(
    { describe, it, afterAll },
    {
      name: "the real Vault",
      vault: async () => underTest(server),
      access: readDocumentedAccess(),
    },
  );
});

function underTest({ address, caPem, rootToken, own }: VaultServer): VaultUnderTest {
  const seal = own && { seal: () => own.seal(), unseal: () => own.unseal() };
  return { address, caPem, rootToken, ...seal };
}
