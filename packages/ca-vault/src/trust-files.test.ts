import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPinnedRoots, readTlsMaterial } from "./trust-files.ts";

const root = await testRoot();
const leaf = await testLeaf(root);
const key = privateKeyPem(leaf.key, "pkcs8");
const certificate = certificatePem(leaf.chain[0]);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-trust-"));
  const texts = {
    "ca.pem": root.pem,
    "client.pem": certificate,
    "client.key": key,
    garbage: "garbage",
    both: root.pem + key,
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(directory, name), text);
  await writeFile(join(directory, "other.key"), privateKeyPem((await testLeaf(root)).key, "pkcs8"));
  const broken = root.pem.replace(/^(.*\n.*\n).{8}/, "$1AAAAAAAA");
  await writeFile(join(directory, "broken"), root.pem + broken);
});

afterAll(() => rm(directory, { recursive: true }));

const file = (name: string): string => join(directory, name);

describe("readTlsMaterial", () => {
  it("reads what the settings name", async () => {
    expect(await readTlsMaterial({})).toEqual({});
    const clientCertificate = { certificateFile: file("client.pem"), keyFile: file("client.key") };
    expect(await readTlsMaterial({ caFile: file("ca.pem"), clientCertificate })).toEqual({
      ca: root.pem,
      certificate,
      key,
    });
  });

  it.each([
    ["client.pem", "other.key"],
    ["client.pem", "garbage"],
    ["garbage", "client.key"],
    ["client.pem", "missing"],
    ["missing", "client.key"],
  ])("refuses %s with %s, and shows nothing of them", async (certificateFile, keyFile) => {
    const settings = { clientCertificate: { certificateFile: file(certificateFile), keyFile: file(keyFile) } };
    const error: unknown = await readTlsMaterial(settings).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "config-invalid" });
    expect(String(error)).not.toContain("BEGIN");
  });

  it.each(["garbage", "missing", "client.key"])("refuses authorities of %s", async (name) => {
    await expect(readTlsMaterial({ caFile: file(name) })).rejects.toMatchObject({ code: "config-invalid" });
  });
});

describe("readPinnedRoots", () => {
  it("keeps the text as it is", async () => {
    expect((await readPinnedRoots(file("ca.pem"))).pem).toBe(root.pem);
  });

  it.each(["garbage", "missing", "both", "broken", "client.key"])("refuses %s", async (name) => {
    await expect(readPinnedRoots(file(name))).rejects.toMatchObject({ code: "config-invalid" });
  });
});
