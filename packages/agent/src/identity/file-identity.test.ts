import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@signet/runtime/testing";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { type TestCa, testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFileIdentity, findIdentityFiles } from "./file-identity.ts";

let directory: string;
let clock: FakeClock;
let stop: AbortController;
let running: Promise<void> | undefined;
let lines: string[];

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "signet-file-identity-")));
  clock = new FakeClock();
  stop = new AbortController();
  running = undefined;
  lines = [];
});

afterEach(async () => {
  stop.abort();
  await running?.catch(() => undefined);
  await rm(directory, { recursive: true, force: true });
});

function start() {
  const { identity, task, lastFailure } = createFileIdentity(
    {
      certificateFile: join(directory, "cert-chain.pem"),
      keyFile: join(directory, "key.pem"),
      rootFile: join(directory, "root-cert.pem"),
    },
    {
      clock,
      events: {
        loaded: () => lines.push("loaded"),
        failed: ({ error }) => lines.push(String(error)),
      },
    },
  );
  running = task.run(stop.signal);
  running.catch(() => undefined);
  return { serial: () => identity.current()?.svid.chain[0].serialNumber, identity, lastFailure };
}

type Written = { readonly files: Readonly<Record<string, string>>; readonly serial: bigint };

async function newSet(ca: TestCa, options: object = {}): Promise<Written> {
  const { chain, key } = await testLeaf(ca, options);
  const files = {
    "cert-chain.pem": chain.map(certificatePem).join(""),
    "key.pem": privateKeyPem(key, "traditional"),
    "root-cert.pem": ca.trustBundle.pem,
  };
  return { files, serial: chain[0].serialNumber };
}

async function write(files: Readonly<Record<string, string>>, into = directory): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(into, name), text, { mode: 0o600 });
}

async function look(): Promise<void> {
  await clock.untilSleepers();
  await clock.advance(20_000);
  await clock.untilSleepers();
}

describe("an identity in files", () => {
  it("is served with chain and roots, and changes with its files", async () => {
    const ca = await testIntermediate(await testRoot());
    const [first, second] = [await newSet(ca), await newSet(ca)];
    await write(first.files);
    const { serial, identity } = start();
    await look();
    expect(serial()).toBe(first.serial);
    expect(identity.current()?.svid.chain).toHaveLength(2);
    expect([...(identity.current()?.trustBundles.keys() ?? [])]).toEqual(["cluster.local"]);
    await write(second.files);
    await look();
    expect(serial()).toBe(second.serial);
    await look();
    expect(lines).toEqual(["loaded", "loaded"]);
  });

  it("is the one before while a new one is half written, or gone", async () => {
    const ca = await testRoot();
    const [first, second] = [await newSet(ca), await newSet(ca)];
    await write(first.files);
    const { serial, lastFailure } = start();
    await look();
    await write({ "cert-chain.pem": second.files["cert-chain.pem"] ?? "" });
    await look();
    expect(serial()).toBe(first.serial);
    expect(String(lastFailure())).toContain("the key is not that of the certificate");
    await rm(join(directory, "key.pem"));
    await look();
    expect(serial()).toBe(first.serial);
    await write(second.files);
    await look();
    expect(serial()).toBe(second.serial);
    expect(lastFailure()).toBeUndefined();
  });

  it("is none without exactly one SPIFFE ID, and nothing of a key is told", async () => {
    const { files } = await newSet(await testRoot(), { subjectAltNames: [{ kind: "dns", value: "example.com" }] });
    await write(files);
    const { serial } = start();
    await look();
    expect(serial()).toBeUndefined();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("not exactly one SPIFFE ID");
    expect(lines[0]).not.toContain("PRIVATE");
  });

  it("follows the links of a Kubernetes volume, as one", async () => {
    const ca = await testRoot();
    const [first, second] = [await newSet(ca), await newSet(ca)];
    for (const [version, { files }] of [
      ["..1", first],
      ["..2", second],
    ] as const) {
      await mkdir(join(directory, version));
      await write(files, join(directory, version));
    }
    await symlink("..1", join(directory, "..data"));
    for (const name of Object.keys(first.files)) await symlink(join("..data", name), join(directory, name));
    const { serial } = start();
    await look();
    expect(serial()).toBe(first.serial);
    await symlink("..2", join(directory, "..next"));
    await rename(join(directory, "..next"), join(directory, "..data"));
    await look();
    expect(serial()).toBe(second.serial);
  });
});

describe("where the identity is", () => {
  it("is with a CA unless files are wanted, or a whole set of them is there", async () => {
    const before = process.cwd();
    process.chdir(directory);
    try {
      expect(await findIdentityFiles(false)).toBeUndefined();
      expect((await findIdentityFiles(true))?.keyFile).toBe("etc/certs/key.pem");
      const credentials = "var/run/secrets/workload-spiffe-credentials";
      await mkdir(credentials, { recursive: true });
      await write({ "certificates.pem": "", "private_key.pem": "" }, credentials);
      expect(await findIdentityFiles(false)).toBeUndefined();
      await write({ "ca_certificates.pem": "" }, credentials);
      expect((await findIdentityFiles(false))?.keyFile).toBe(join(credentials, "private_key.pem"));
      await write({ "cert-chain.pem": "", "key.pem": "", "root-cert.pem": "" }, credentials);
      expect((await findIdentityFiles(false))?.keyFile).toBe(join(credentials, "key.pem"));
    } finally {
      process.chdir(before);
    }
  });
});
