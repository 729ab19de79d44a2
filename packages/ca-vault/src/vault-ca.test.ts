import { afterAll, beforeAll, describe, it } from "vitest";
import { type FakeVault, readDocumentedAccess, startFakeVault, vaultCaSuite } from "./testing.ts";

let vault: FakeVault;

beforeAll(async () => {
  vault = await startFakeVault();
});

afterAll(() => vault.close());

vaultCaSuite(
  { describe, it, afterAll, skip: (name) => it.skip(name, () => undefined) },
  {
    name: "a fake Vault",
    vault: async () => vault,
    access: readDocumentedAccess(),
    kubernetes: async () => {
      const jwt = "eyJ.fake.token";
      vault.trustJwt(jwt);
      return { jwt, namespace: "istio-system", serviceAccount: "istiod" };
    },
  },
);
