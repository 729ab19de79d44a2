import assert from "node:assert/strict";
import { buildTestCsr } from "@signet/ca/testing";
import { generateKeyPair } from "@signet/x509";
import { testRoot } from "@signet/x509/testing";
import { issuerBundle } from "./issuer-bundle.ts";
import { operateVault } from "./operate-vault.ts";
import { untilReady } from "./running-vault-ca.ts";
import type { OnStage } from "./vault-ca-suite.ts";
import type { VaultStage } from "./vault-stage.ts";

const frontend = { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/frontend" } as const;
const stranger = { kind: "uri", value: "spiffe://cluster.local/ns/victim/sa/admin" } as const;

/** What a role and a policy make of what is asked. */
export function roleTests(onStage: OnStage): void {
  nameTests(onStage);
  limitTests(onStage);
  permissionTests(onStage);
  leastPrivilegeTests(onStage);
}

async function withRoot(stage: VaultStage): Promise<void> {
  await stage.importIssuers(issuerBundle(await testRoot()));
}

async function csrOf(...names: readonly { readonly kind: "uri"; readonly value: string }[]): Promise<string> {
  const key = await generateKeyPair("P-256");
  return buildTestCsr(names.length === 0 ? { key } : { key, subjectAltNames: names });
}

function nameTests(onStage: OnStage): void {
  onStage("lets out no certificate to which a role has added a name", async (stage) => {
    await withRoot(stage);
    await stage.writeRole({ use_csr_sans: true });
    const running = await stage.open();
    await untilReady(running);
    assert.equal((await running.untilHealth("role-unsafe")).state, "degraded");
    assert.equal(await running.outcome(await csrOf(frontend, stranger)), "issued-svid-mismatch");
    assert.equal(await running.outcome(await csrOf(stranger)), "issued-svid-mismatch");
  });

  onStage("lets out no certificate from which a role has stripped the name", async (stage) => {
    await withRoot(stage);
    await stage.writeRole({ use_csr_sans: true });
    const running = await stage.open();
    await untilReady(running);
    assert.equal(await running.outcome(await csrOf()), "issued-svid-mismatch");
  });

  onStage("takes the name from the template and not from the CSR, as the documented role has it", async (stage) => {
    await withRoot(stage);
    const running = await stage.open();
    await untilReady(running);
    await running.untilHealth("good");
    const { chain } = await running.issue(await csrOf(stranger));
    assert.deepEqual(chain[0].subjectAltNames, [frontend]);
  });

  onStage("says that a role refuses a name", async (stage) => {
    await withRoot(stage);
    await stage.writeRole({ allowed_uri_sans: ["spiffe://other.example/*"] });
    const running = await stage.open();
    await untilReady(running);
    await assert.rejects(running.issue(), { code: "signer-refused", message: /URI Subject Alternative Names/ });
  });
}

function limitTests(onStage: OnStage): void {
  onStage("signs for no longer than the role allows", async (stage) => {
    await withRoot(stage);
    await stage.writeRole({ max_ttl: "120s" });
    const running = await stage.open();
    await untilReady(running);
    const limit = running.ca.notAfterLimit();
    const { chain } = await running.issue();
    assert(limit !== undefined && limit.getTime() <= Date.now() + 120_000);
    assert(chain[0].notAfter.getTime() <= Date.now() + 120_000);
  });

  onStage("signs until the instant that the role gives all its certificates", async (stage) => {
    await withRoot(stage);
    const end = new Date(Math.floor(Date.now() / 1000) * 1000 + 600_000);
    await stage.writeRole({ not_after: `${end.toISOString().slice(0, 19)}Z` });
    const running = await stage.open();
    await untilReady(running);
    assert.deepEqual((await running.issue()).chain[0].notAfter, end);
  });

  onStage("lets out no certificate that a role has made longer", async (stage) => {
    await withRoot(stage);
    await stage.writeRole({ not_after: "2040-01-01T00:00:00Z" });
    const running = await stage.open();
    await untilReady(running);
    assert.equal(await running.outcome(), "issued-svid-mismatch");
  });

  onStage("says that there is no role, and signs when there is one", async (stage) => {
    await withRoot(stage);
    await stage.operator.remove(`${stage.mount}/roles/signet`);
    const running = await stage.open();
    assert.equal((await running.untilHealth("role-missing")).state, "failing");
    assert.equal(await running.outcome(), "ca-not-ready");
    await stage.writeRole();
    await running.untilHealth("good");
    await stage.operator.remove(`${stage.mount}/roles/signet`);
    assert.equal(await running.outcome(), "signer-refused");
  });
}

function permissionTests(onStage: OnStage): void {
  onStage("says that a policy does not allow signing", async (stage) => {
    await withRoot(stage);
    const narrow = stage.access.policy.replaceAll('"pki/', `"${stage.mount}/`).replaceAll("sign/signet", "sign/none");
    await stage.operator.write(`sys/policies/acl/${stage.policy}-narrow`, { policy: narrow });
    const token = await stage.createToken({ policies: [`${stage.policy}-narrow`] });
    const running = await stage.open({ auth: { kind: "token", token } });
    await untilReady(running);
    await assert.rejects(running.issue(), { code: "signer-refused", message: /permission denied/ });
    assert.equal((await running.untilHealth("permission-denied")).state, "failing");
    await stage.operator.remove(`sys/policies/acl/${stage.policy}-narrow`);
  });

  onStage("signs without being allowed to read the role, and says that it is not", async (stage) => {
    await withRoot(stage);
    const blind = stage.access.policy.replaceAll('"pki/', `"${stage.mount}/`).replaceAll("/roles/", "/none/");
    await stage.operator.write(`sys/policies/acl/${stage.policy}-blind`, { policy: blind });
    const token = await stage.createToken({ policies: [`${stage.policy}-blind`] });
    const running = await stage.open({ auth: { kind: "token", token } });
    await untilReady(running);
    assert.equal((await running.untilHealth("role-unreadable")).state, "degraded");
    assert.equal(await running.outcome(), "issued");
    await stage.operator.remove(`sys/policies/acl/${stage.policy}-blind`);
  });
}

/** What the documented policy must not allow, each with what is sent. */
const beyond: readonly [string, Readonly<Record<string, unknown>>][] = [
  ["sign/signet", { common_name: "admin" }],
  ["sign/signet", { alt_names: "victim.example" }],
  ["sign/signet", { ip_sans: ["10.0.0.1"] }],
  ["sign/signet", { other_sans: "1.2.3.4;UTF8:x" }],
  ["sign/signet", { ttl: "87600h" }],
  ["sign/signet", { exclude_cn_from_sans: false }],
  ["sign/signet-serving", { uri_sans: ["spiffe://cluster.local/ns/a/sa/b"] }],
  ["sign/other", {}],
  ["sign-verbatim/signet", {}],
  ["issue/signet", {}],
  ["issuer/default/sign/signet", {}],
  ["issuer/default", { issuer_name: "mine" }],
  ["issuers/import/bundle", {}],
  ["roles/signet", { use_csr_sans: true }],
  ["root/sign-intermediate", {}],
  ["config/issuers", { default: "x" }],
  ["revoke", {}],
];

function leastPrivilegeTests(onStage: OnStage): void {
  onStage("may do nothing but what the documented policy is for", async (stage) => {
    await withRoot(stage);
    const rootToken = await stage.createToken();
    const operator = operateVault({ ...stage.vault, rootToken });
    for (const [path, body] of beyond) {
      await assert.rejects(operator.write(`${stage.mount}/${path}`, body), /answered with 403/, path);
    }
    await assert.rejects(operator.read("sys/mounts"), /answered with 403/);
    await assert.rejects(operator.write("auth/token/create", {}), /answered with 403/);
  });
}
