import assert from "node:assert/strict";
import type { TrustBundle } from "@signet/x509";
import { testIntermediate, testRoot } from "@signet/x509/testing";
import { issuerBundle } from "./issuer-bundle.ts";
import { type RunningVaultCa, untilReady } from "./running-vault-ca.ts";
import type { OnStage } from "./vault-ca-suite.ts";

/** Which roots are trusted, and what may sign. */
export function trustTests(onStage: OnStage): void {
  followingTests(onStage);
  pinningTests(onStage);
  issuerTests(onStage);
}

function followingTests(onStage: OnStage): void {
  onStage("trusts the roots of all issuers of the mount, and follows them", async (stage) => {
    const [first, second] = [await testRoot(), await testRoot({ trustDomain: "second" })];
    await stage.importIssuers(issuerBundle(first));
    const running = await stage.open();
    await untilReady(running);
    assert.deepEqual(rootsOf(running), [first.pem]);
    await stage.importIssuers(second.pem);
    assert.deepEqual(rootsOf(running, await bundleOf(running, 2)), [first.pem, second.pem]);
  });

  onStage("signs with another issuer once that is the default one, under both roots", async (stage) => {
    const [first, second] = [await testRoot(), await testRoot({ trustDomain: "second" })];
    await stage.importIssuers(issuerBundle(first));
    const running = await stage.open();
    await untilReady(running);
    const [id] = await stage.importIssuers(issuerBundle(second));
    await bundleOf(running, 2);
    await stage.operator.write(`${stage.mount}/config/issuers`, { default: id });
    // Its root is trusted already, so there is no moment at which nothing can be issued.
    const { chain } = await running.issue();
    assert.deepEqual(chain[0].issuer, second.certificate.subject);
  });

  onStage("forgets a root that is taken off the mount", async (stage) => {
    const [first, second] = [await testRoot(), await testRoot({ trustDomain: "second" })];
    await stage.importIssuers(issuerBundle(first));
    const [id] = await stage.importIssuers(second.pem);
    const running = await stage.open();
    await bundleOf(running, 2);
    await stage.operator.remove(`${stage.mount}/issuer/${id}`);
    assert.deepEqual(rootsOf(running, await bundleOf(running, 1)), [first.pem]);
  });

  onStage("does not take an intermediate for a root", async (stage) => {
    const intermediate = await testIntermediate(await testRoot());
    await stage.importIssuers(issuerBundle(intermediate));
    const running = await stage.open();
    assert.equal((await running.untilHealth("issuer-untrusted")).state, "failing");
    assert.equal(await running.outcome(), "ca-not-ready");
  });
}

function pinningTests(onStage: OnStage): void {
  onStage("trusts pinned roots alone, and refuses an issuer that does not lead to them", async (stage) => {
    const [pinned, other] = [await testRoot(), await testRoot({ trustDomain: "other" })];
    const [id] = await stage.importIssuers(issuerBundle(pinned));
    const [otherId] = await stage.importIssuers(issuerBundle(other));
    const running = await stage.open({ pinnedRootFile: await stage.file("roots.pem", pinned.pem) });
    await untilReady(running);
    assert.equal(await running.outcome(), "issued");
    await stage.operator.write(`${stage.mount}/config/issuers`, { default: otherId });
    await running.untilHealth("issuer-untrusted");
    assert.equal(await running.outcome(), "signer-refused");
    assert.deepEqual(rootsOf(running), [pinned.pem]);
    await stage.operator.write(`${stage.mount}/config/issuers`, { default: id });
    await running.untilHealth("good");
    assert.equal(await running.outcome(), "issued");
  });

  onStage("lets no certificate of another root out, also before it has noticed", async (stage) => {
    const [pinned, other] = [await testRoot(), await testRoot({ trustDomain: "other" })];
    await stage.importIssuers(issuerBundle(pinned));
    const [otherId] = await stage.importIssuers(issuerBundle(other));
    const changes = { pinnedRootFile: await stage.file("roots.pem", pinned.pem), refreshMs: 3_600_000 };
    const running = await stage.open(changes);
    await untilReady(running);
    await stage.operator.write(`${stage.mount}/config/issuers`, { default: otherId });
    assert.equal(await running.outcome(), "issued-svid-mismatch");
    // What it signed has shown that the mount has changed.
    await running.untilHealth("issuer-untrusted");
  });

  onStage("signs with an intermediate whose root is pinned and not on the mount", async (stage) => {
    const root = await testRoot();
    await stage.importIssuers(issuerBundle(await testIntermediate(root)));
    const running = await stage.open({ pinnedRootFile: await stage.file("roots.pem", root.pem) });
    await untilReady(running);
    assert.equal((await running.issue()).chain.length, 2);
  });
}

function issuerTests(onStage: OnStage): void {
  onStage("signs with a named issuer, whatever the role says, where the policy lets it", async (stage) => {
    const [first, second] = [await testRoot(), await testRoot({ trustDomain: "second" })];
    await stage.importIssuers(issuerBundle(first));
    const [id = ""] = await stage.importIssuers(issuerBundle(second));
    const extra = `path "${stage.mount}/issuer/${id}/sign/signet" { capabilities = ["update"] }`;
    await stage.operator.write(`sys/policies/acl/${stage.policy}-issuer`, { policy: extra });
    const token = await stage.createToken({ policies: [stage.policy, `${stage.policy}-issuer`] });
    const running = await stage.open({ issuer: id, auth: { kind: "token", token } });
    await untilReady(running);
    const { chain } = await running.issue();
    assert.deepEqual(chain[0].issuer, second.certificate.subject);
    await stage.operator.remove(`sys/policies/acl/${stage.policy}-issuer`);
  });

  onStage("says that an issuer is about to expire, and signs no longer than it lasts", async (stage) => {
    const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + 1_800_000);
    await stage.importIssuers(issuerBundle(await testRoot({ notAfter })));
    const running = await stage.open();
    await untilReady(running);
    assert.equal((await running.untilHealth("issuer-expiring")).state, "degraded");
    assert.deepEqual(running.ca.notAfterLimit(), notAfter);
    assert((await running.issue()).chain[0].notAfter <= notAfter);
  });

  onStage("says that there is no issuer, and signs as soon as there is one", async (stage) => {
    const running = await stage.open();
    await running.untilHealth("issuer-missing");
    await stage.importIssuers(issuerBundle(await testRoot()));
    await running.untilHealth("good");
    assert.equal(await running.outcome(), "issued");
  });
}

/** The bundle as soon as it has so many roots. */
async function bundleOf({ ca }: RunningVaultCa, roots: number): Promise<TrustBundle> {
  for await (const bundle of ca.trustBundle.changes(AbortSignal.timeout(20_000))) {
    if (bundle.authorities.length === roots) return bundle;
  }
  throw new Error(`trust bundle does not have ${roots} roots`);
}

function rootsOf(
  { ca }: RunningVaultCa,
  bundle: TrustBundle | undefined = ca.trustBundle.current(),
): readonly string[] {
  const text = bundle?.pem ?? "";
  return text.split(/(?<=-----END CERTIFICATE-----\n)/).filter((part) => part !== "");
}
