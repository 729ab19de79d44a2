import { issueServingCertificate } from "@signet/ca";
import { type SuiteTools, signingCaSuite } from "@signet/ca/testing";
import { systemClock } from "@signet/runtime";
import type { KeyType } from "@signet/x509";
import { type TestCa, testIntermediate, testKey, testRoot } from "@signet/x509/testing";
import type { DocumentedAccess } from "./documented-access.ts";
import { issuerBundle } from "./issuer-bundle.ts";
import type { VaultOperator } from "./operate-vault.ts";
import { untilReady } from "./running-vault-ca.ts";
import { loginTests } from "./suite-logins.ts";
import { outageTests } from "./suite-outages.ts";
import { roleTests } from "./suite-roles.ts";
import { trustTests } from "./suite-trust.ts";
import { setVaultStage, type VaultStage } from "./vault-stage.ts";
import type { VaultUnderTest } from "./vault-under-test.ts";

/** What of a test runner the suite needs. */
export type VaultSuiteTools = SuiteTools & {
  /** Called after the tests of the enclosing `describe`. */
  afterAll(end: () => Promise<void>): unknown;
  /** Shows that a test is left out, and in its name why. */
  skip(name: string): unknown;
};

/** The Vault that a suite runs against. */
export type VaultCaSubject = {
  readonly name: string;
  /** Called for each test; may return the same Vault each time. */
  vault(): Promise<VaultUnderTest>;
  readonly access: DocumentedAccess;
  /** Why the server must not be sealed, nor its quotas changed; empty when it is ours. */
  readonly skippedOwn?: string;
  /** Prepares a Kubernetes auth method at `mount`, without roles; left out where no cluster vouches for tokens. */
  readonly kubernetes?: (
    operator: VaultOperator,
    mount: string,
  ) => Promise<{ readonly jwt: string; readonly namespace: string; readonly serviceAccount: string }>;
};

/** Runs a test on a stage of its own. */
export type OnStage = (name: string, test: (stage: VaultStage) => Promise<void>) => void;

/**
 * Declares how a CA behaves whose key is in Vault, as tests against one Vault: the fake, or a real one.
 * @example
 * ```ts
 * import { readDocumentedAccess, startFakeVault, vaultCaSuite, type VaultSuiteTools } from "@signet/ca-vault/testing";
 * export function testTheFake(tools: VaultSuiteTools) {
 *   vaultCaSuite(tools, { name: "the fake", vault: () => startFakeVault(), access: readDocumentedAccess() });
 * }
 * ```
 */
export function vaultCaSuite(tools: VaultSuiteTools, subject: VaultCaSubject): void {
  for (const [name, keys] of hierarchies) signingTests(tools, subject, { name, keys });
  tools.describe(`a CA behind ${subject.name}`, () => {
    const onStage: OnStage = (name, test) => {
      tools.it(name, async () => {
        const stage = await setVaultStage(await subject.vault(), subject.access);
        try {
          await test(stage);
        } finally {
          await stage.close();
        }
      });
    };
    trustTests(onStage);
    roleTests(onStage);
    loginTests(onStage, subject);
    const { skippedOwn = "" } = subject;
    outageTests(skippedOwn === "" ? onStage : (name) => tools.skip(`${name} ${skippedOwn}`));
  });
}

const hierarchies: readonly [string, readonly KeyType[]][] = [
  ["a P-256 root", ["P-256"]],
  ["an RSA-2048 root", ["RSA-2048"]],
  ["a P-256 issuer below a P-384 root", ["P-384", "P-256"]],
  ["an RSA-3072 issuer below an issuer below an RSA-2048 root", ["RSA-2048", "RSA-2048", "RSA-3072"]],
];

function signingTests(
  tools: VaultSuiteTools,
  subject: VaultCaSubject,
  hierarchy: { readonly name: string; readonly keys: readonly KeyType[] },
): void {
  const name = `${hierarchy.name} in ${subject.name}`;
  tools.describe(name, () => {
    let stage: VaultStage | undefined;
    const open = async (): Promise<VaultStage> => {
      if (stage !== undefined) return stage;
      stage = await setVaultStage(await subject.vault(), subject.access);
      const [issuer, ...above] = await makeHierarchy(hierarchy.keys);
      if (issuer !== undefined) await stage.importIssuers(issuerBundle(issuer), ...above.map(({ pem }) => pem));
      return stage;
    };
    const create = async () => {
      const running = await (await open()).open();
      await untilReady(running);
      return running.ca;
    };
    tools.afterAll(async () => stage?.close());
    signingCaSuite(tools, { name, create, clock: systemClock });
    tools.it("signs the CA server's own certificate with the role for it", async () => {
      const request = { dnsNames: ["istiod.istio-system.svc"], ipAddresses: ["127.0.0.1", "::1"], ttlMs: 3_600_000 };
      const dependencies = { signingCa: await create(), clock: systemClock };
      await issueServingCertificate(request, dependencies, AbortSignal.timeout(10_000));
    });
  });
}

/** The CA that signs, then those above it; the root last. */
async function makeHierarchy(keys: readonly KeyType[]): Promise<readonly TestCa[]> {
  const cas: TestCa[] = [];
  for (const [index, type] of keys.entries()) {
    const [parent] = cas;
    const organization = `issuer ${index}`;
    cas.unshift(
      parent === undefined
        ? await testRoot({ type })
        : await testIntermediate(parent, { type, organization, key: await testKey(type, organization) }),
    );
  }
  return cas;
}
