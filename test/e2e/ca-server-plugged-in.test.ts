import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { CaServerError } from "@signet/ca-server";
import { parseSpiffeId } from "@signet/spiffe";
import { certificatePem, createCsr, generateKeyPair, type KeyType, privateKeyPem } from "@signet/x509";
import { type TestCa, testIntermediate, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import { issue, startTestCaServer, type TestCaServer } from "./ca-server-fixture.ts";

const run = promisify(execFile);
const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const csr = createCsr({ key: await generateKeyPair("P-256"), spiffeId });
const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<TestCaServer> {
  const ca = await startTestCaServer(env);
  opened.push(ca);
  return ca;
}

async function plugIn(ca: TestCa, directory: string): Promise<string> {
  const cacerts = join(directory, "plugged-in");
  await mkdir(cacerts);
  const root = ca.trustBundle.pem;
  const files = {
    "ca-cert.pem": ca.pem,
    "ca-key.pem": privateKeyPem(ca.key, "traditional"),
    "cert-chain.pem": ca.chain.map((certificate) => certificatePem(certificate)).join(""),
    "root-cert.pem": root,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(cacerts, name), text, { mode: 0o600 });
  return cacerts;
}

describe("a plugged-in CA", () => {
  it("signs with the intermediate and answers its chain, one certificate in each element", async () => {
    const probe = await start();
    const ca = await testIntermediate(await testIntermediate(await testRoot()), { organization: "below" });
    const plugged = await start({ ROOT_CA_DIR: await plugIn(ca, probe.directory) });
    const chain = await issue(plugged.connect(), plugged.issuer.sign(), csr);
    expect(chain).toHaveLength(4);
    expect(chain.slice(1, 3)).toEqual(ca.chain.map((certificate) => certificatePem(certificate)));
    expect(chain.at(-1)).toBe(ca.trustBundle.pem);
  });

  it("stops the start when half of it is missing", async () => {
    const probe = await start();
    const cacerts = join(probe.directory, "half");
    await mkdir(cacerts);
    await writeFile(join(cacerts, "ca-cert.pem"), "");
    const error = await startTestCaServer({ ROOT_CA_DIR: cacerts }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CaServerError);
    expect(error).toMatchObject({ code: "cacerts-incomplete" });
    expect(String(error)).toContain("ca-key.pem, cert-chain.pem, root-cert.pem missing");
  });

  it("stops the start when its key is another's", async () => {
    const probe = await start();
    const ca = await testIntermediate(await testRoot());
    const cacerts = await plugIn({ ...ca, key: await generateKeyPair("P-256") }, probe.directory);
    await expect(startTestCaServer({ ROOT_CA_DIR: cacerts })).rejects.toMatchObject({
      code: "ca-material-invalid",
      message: `plugged-in CA directory ${cacerts}: ca-key.pem is not the key of ca-cert.pem`,
    });
  });
});

describe("openssl verify -x509_strict", () => {
  const caTypes: readonly KeyType[] = ["RSA-2048", "P-256", "P-384"];
  const csrTypes: readonly KeyType[] = ["RSA-2048", "P-256", "P-384", "P-521", "Ed25519"];

  it.each(caTypes)("agrees with what a %s CA issues", async (type) => {
    const probe = await start();
    const intermediate = await testIntermediate(await testRoot({ type }), { type });
    const ca = await start({ ROOT_CA_DIR: await plugIn(intermediate, probe.directory) });
    const channel = ca.connect();
    for (const csrType of csrTypes) {
      const request = createCsr({ key: await generateKeyPair(csrType), spiffeId });
      const [leaf = "", issuer = "", root = ""] = await issue(channel, ca.issuer.sign(), request);
      const path = (name: string) => join(ca.directory, name);
      for (const [name, text] of Object.entries({ leaf, issuer, root })) await writeFile(path(`${name}.pem`), text);
      for (const purpose of ["sslserver", "sslclient"]) {
        const roots = ["-CAfile", path("root.pem"), "-untrusted", path("issuer.pem")];
        const { stdout } = await run("openssl", [
          "verify",
          "-x509_strict",
          "-purpose",
          purpose,
          ...roots,
          path("leaf.pem"),
        ]);
        expect(stdout).toContain("leaf.pem: OK");
      }
      const { stdout } = await run("openssl", ["x509", "-in", path("leaf.pem"), "-noout", "-text"]);
      expect(stdout).toContain(`X509v3 Subject Alternative Name: critical\n                URI:${spiffeId}`);
    }
  });
});
