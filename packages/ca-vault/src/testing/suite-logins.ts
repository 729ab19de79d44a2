import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { encodePem, privateKeyPem, signLeaf } from "@signet/x509";
import { type TestCa, testKey, testRoot } from "@signet/x509/testing";
import type { VaultAuth, VaultSettings } from "../vault-settings.ts";
import { issuerBundle } from "./issuer-bundle.ts";
import { type RunningVaultCa, untilReady } from "./running-vault-ca.ts";
import type { OnStage, VaultCaSubject } from "./vault-ca-suite.ts";
import { textOf, type VaultStage } from "./vault-stage.ts";

/** Ways to get a token, and what becomes of it. */
export function loginTests(onStage: OnStage, subject: VaultCaSubject): void {
  appRoleTests(onStage);
  givenTokenTests(onStage);

  onStage("logs in with a TLS certificate", async (stage) => {
    const mount = await stage.enableAuth("cert");
    const authority = await testRoot({ trustDomain: "clients" });
    const role = { certificate: authority.pem, token_policies: [stage.policy], token_no_default_policy: true };
    await stage.operator.write(`auth/${mount}/certs/signet`, role);
    const clientCertificate = await clientCertificateOf(stage, authority);
    await signsWith(stage, { auth: { kind: "cert", mount, role: "signet" }, clientCertificate });
  });

  const { kubernetes } = subject;
  if (kubernetes === undefined) return;
  onStage("logs in with a service account token, read at each login", async (stage) => {
    const mount = await stage.enableAuth("kubernetes");
    const { jwt, namespace, serviceAccount } = await kubernetes(stage.operator, mount);
    await stage.operator.write(`auth/${mount}/role/signet`, {
      bound_service_account_names: [serviceAccount],
      bound_service_account_namespaces: [namespace],
      ...{ token_policies: [stage.policy], token_no_default_policy: true, token_ttl: "10m" },
    });
    const tokenFile = await stage.file("jwt", "not there yet");
    const running = await stage.open({ auth: { kind: "kubernetes", mount, role: "signet", tokenFile } });
    await stage.importIssuers(issuerBundle(await testRoot()));
    await running.untilHealth("login-refused");
    await writeFile(tokenFile, `${jwt}\n`);
    await running.untilHealth("good");
    assert.equal(await running.outcome(), "issued");
  });
}

function appRoleTests(onStage: OnStage): void {
  onStage("logs in with an AppRole", async (stage) => {
    const running = await signsWith(stage, { auth: await appRole(stage) });
    assert.deepEqual(kindsOf(running, "loggedIn").length, 1);
  });

  onStage("logs in anew at once when its token has been revoked, and no caller notices", async (stage) => {
    const auth = await appRole(stage);
    const running = await signsWith(stage, { auth });
    await stage.operator.write(`sys/leases/revoke-prefix/auth/${auth.mount}`);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => running.outcome()));
    assert.deepEqual(new Set(outcomes), new Set(["issued"]));
    assert.equal(kindsOf(running, "loggedIn").length, 2);
  });

  onStage("renews its token, and replaces it when it cannot be renewed for longer", async (stage) => {
    const running = await signsWith(stage, { auth: await appRole(stage, { token_ttl: "4s", token_max_ttl: "7s" }) });
    await untilEvents(running, { tokenRenewed: 1, loggedIn: 2 });
    assert.equal(await running.outcome(), "issued");
    assert.deepEqual(kindsOf(running, "renewalFailed"), []);
  });

  onStage("says that Vault does not accept its credentials", async (stage) => {
    const auth = { ...(await appRole(stage)), secretIdFile: await stage.file("wrong", "wrong") };
    const running = await stage.open({ auth });
    await running.untilHealth("login-refused");
  });
}

function givenTokenTests(onStage: OnStage): void {
  onStage("says that the token it was given is no longer valid", async (stage) => {
    const token = await stage.createToken();
    const running = await signsWith(stage, { auth: { kind: "token", token } });
    await stage.operator.write("auth/token/revoke", { token });
    assert.equal(await running.outcome(), "signer-refused");
    assert.equal((await running.untilHealth("token-expired")).state, "failing");
  });

  onStage("takes up another token as soon as its file has it", async (stage) => {
    const token = await stage.createToken();
    const path = await stage.file("token", token);
    const running = await signsWith(stage, { auth: { kind: "token-file", path } });
    await writeFile(path, `${await stage.createToken()}\n`);
    await stage.operator.write("auth/token/revoke", { token });
    assert.equal(await running.outcome(), "issued");
  });

  onStage("renews a token that it was given", async (stage) => {
    const token = await stage.createToken({ ttl: "4s", renewable: true });
    const running = await signsWith(stage, { auth: { kind: "token", token } });
    await untilEvents(running, { tokenRenewed: 2 });
    assert.equal(await running.outcome(), "issued");
  });
}

/** With a common name: Vault calls its client by that, and has nothing to do with one that has none. */
async function clientCertificateOf(
  stage: VaultStage,
  issuer: TestCa,
): Promise<NonNullable<VaultSettings["clientCertificate"]>> {
  const key = await testKey("P-256");
  const subjectAltNames = [{ kind: "dns", value: "signet.clients" }] as const;
  const validity = { notBefore: issuer.certificate.notBefore, notAfter: issuer.certificate.notAfter };
  const template = { spki: key.spki, commonName: "signet", subjectAltNames, ...validity };
  const certificate = encodePem("CERTIFICATE", signLeaf({ template, issuer, serialNumber: Uint8Array.of(1) }));
  return {
    certificateFile: await stage.file("client.pem", certificate),
    keyFile: await stage.file("client.key", privateKeyPem(key, "pkcs8")),
  };
}

async function appRole(
  stage: VaultStage,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<Extract<VaultAuth, { kind: "approle" }>> {
  const mount = await stage.enableAuth("approle");
  const path = `auth/${mount}/role/signet`;
  const role = { token_policies: [stage.policy], token_no_default_policy: true, token_ttl: "10m", ...changes };
  await stage.operator.write(path, role);
  const roleId = textOf(await stage.operator.read(`${path}/role-id`), "role_id");
  const secretId = textOf(await stage.operator.write(`${path}/secret-id`), "secret_id");
  return { kind: "approle", mount, roleId, secretIdFile: await stage.file(`${mount}.secret-id`, `${secretId}\n`) };
}

async function signsWith(stage: VaultStage, changes: Parameters<VaultStage["open"]>[0]): Promise<RunningVaultCa> {
  await stage.importIssuers(issuerBundle(await testRoot()));
  const running = await stage.open(changes);
  await untilReady(running);
  assert.equal(await running.outcome(), "issued");
  return running;
}

function kindsOf({ events }: RunningVaultCa, wanted: string): readonly string[] {
  return events.all.map(({ kind }) => kind).filter((kind) => kind === wanted);
}

/** Resolves once so many events of each kind have come. */
async function untilEvents(running: RunningVaultCa, wanted: Readonly<Record<string, number>>): Promise<void> {
  await running.untilEvents(() =>
    Object.entries(wanted).every(([kind, count]) => kindsOf(running, kind).length >= count),
  );
}
