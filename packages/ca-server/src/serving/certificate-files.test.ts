import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock, type FakeLogger, fakeLogger } from "@signet/runtime/testing";
import { certificatePem, parseCertificates, privateKeyPem, serialNumberHex } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ServingFiles } from "../settings.ts";
import { findServingFiles, followCertificateFiles } from "./certificate-files.ts";
import type { ServingCertificate } from "./serving-certificate.ts";

const root = await testRoot();
const start = new Date("2026-01-01T00:00:00Z");
const name = { kind: "dns", value: "istiod.istio-system.svc" } as const;

let directory: string;
let files: ServingFiles;
let clock: FakeClock;
let logger: FakeLogger;
let stop: AbortController;
let running: Promise<unknown>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-serving-"));
  const path = (file: string) => join(directory, file);
  files = { certificateFile: path("tls.crt"), keyFile: path("tls.key"), rootFile: path("root-cert.pem") };
  clock = new FakeClock(start);
  logger = fakeLogger();
  stop = new AbortController();
  running = Promise.resolve();
});

afterEach(async () => {
  stop.abort();
  await running;
  await rm(directory, { recursive: true, force: true });
});

async function write(ca: TestCa = root, options: Parameters<typeof testLeaf>[1] = {}): Promise<string> {
  const { chain, key } = await testLeaf(ca, { subjectAltNames: [name], ...options });
  await writeFile(files.certificateFile, chain.map((certificate) => certificatePem(certificate)).join(""));
  await writeFile(files.keyFile, privateKeyPem(key, "pkcs8"));
  await writeFile(files.rootFile, ca.pem);
  return serialNumberHex(chain[0]);
}

async function follow(): Promise<ServingCertificate> {
  const certificate = await followCertificateFiles(files, { clock, logger });
  running = certificate.task.run(stop.signal).catch(() => {});
  return certificate;
}

/** Lets the next look, which reads real files, come to its end. */
async function look(until: () => boolean): Promise<void> {
  await clock.untilSleepers(1);
  await clock.advance(10_000);
  while (!until()) await new Promise((resolve) => setTimeout(resolve, 1));
  await clock.untilSleepers(1);
}

function serialOf({ pem }: ServingCertificate): string | undefined {
  const [leaf] = parseCertificates(pem.current()?.certificateChainPem ?? "");
  return leaf && serialNumberHex(leaf);
}

describe("a serving certificate from files", () => {
  it("is what they hold, and whoever verifies it needs their root", async () => {
    const serialNumber = await write();
    const certificate = await follow();
    expect(serialOf(certificate)).toBe(serialNumber);
    expect(certificate.roots.current()?.pem).toBe(root.pem);
    expect(certificate.notAfter()?.getTime()).toBeGreaterThan(start.getTime());
    expect(logger.lines).toMatchObject([{ message: "serving files adopted", fields: { names: [name.value] } }]);
  });

  it("follows them, also a root that changes alone", async () => {
    await write();
    const certificate = await follow();
    const next = await write();
    await look(() => serialOf(certificate) === next);
    const both = root.pem + (await testRoot({ trustDomain: "other.example" })).pem;
    await writeFile(files.rootFile, both);
    await look(() => certificate.roots.current()?.pem === both);
    expect(serialOf(certificate)).toBe(next);
  });

  it("stays while they do not fit together, which is told once, and follows when they do", async () => {
    const first = await write();
    const certificate = await follow();
    const key = await testLeaf(root, { type: "P-384" });
    await writeFile(files.keyFile, privateKeyPem(key.key, "pkcs8"));
    const refusals = () => logger.lines.filter(({ message }) => message === "serving files refused").length;
    await look(() => refusals() === 1);
    await look(() => true);
    expect(refusals()).toBe(1);
    expect(serialOf(certificate)).toBe(first);
    await rm(files.keyFile);
    await look(() => refusals() === 2);
    const next = await write();
    await look(() => serialOf(certificate) === next);
    expect(JSON.stringify(logger.lines)).not.toContain("PRIVATE KEY");
  });

  it.each<[string, () => Promise<unknown>]>([
    ["one is missing", () => rm(files.rootFile)],
    ["the certificate is none", () => writeFile(files.certificateFile, "hello")],
    ["the key is none", () => writeFile(files.keyFile, "hello")],
    ["the root is none", () => writeFile(files.rootFile, "hello")],
    ["the root is another", async () => writeFile(files.rootFile, (await testRoot({ trustDomain: "x.example" })).pem)],
    ["the certificate has expired", () => write(root, { notAfter: new Date(start.getTime() - 1) })],
    ["a file is too large", () => writeFile(files.rootFile, "#".repeat(2 * 1024 * 1024))],
  ])("stops the start when %s", async (_, spoil) => {
    await write();
    await spoil();
    await expect(follow()).rejects.toMatchObject({ code: "serving-files-invalid" });
  });

  it("is looked for at istiod's places, all three or none", async () => {
    expect(await findServingFiles(undefined, files)).toBeUndefined();
    await write();
    expect(await findServingFiles(undefined, files)).toBe(files);
    const named = { ...files, certificateFile: "elsewhere" };
    expect(await findServingFiles(named, files)).toBe(named);
    await rm(files.keyFile);
    expect(await findServingFiles(undefined, files)).toBeUndefined();
  });
});
