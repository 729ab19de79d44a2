import { chmod, cp, mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFileCapped } from "@signet/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ReadFile, readCacertsDirectory } from "./cacerts-directory.ts";
import { CaServerError } from "./errors.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-cacerts-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function fill(...names: string[]): Promise<void> {
  for (const name of names) await writeFile(join(directory, name), `text of ${name}`, { mode: 0o600 });
}

async function failure(): Promise<CaServerError> {
  try {
    await readCacertsDirectory(directory);
  } catch (error) {
    if (error instanceof CaServerError) return error;
    throw error;
  }
  throw new Error("the directory was accepted");
}

/** As the kubelet replaces a mounted Secret: a new directory, then `..data` turned to it at once, then the old one removed. */
async function mountSecret(text: string): Promise<void> {
  const name = `..${text.replace(" ", "_")}`;
  await writeVersion(name, text);
  const before = await readlink(join(directory, "..data")).catch(() => undefined);
  await turnDataTo(name);
  if (before !== undefined) await rm(join(directory, before), { recursive: true });
}

async function writeVersion(name: string, text: string): Promise<void> {
  await mkdir(join(directory, name));
  for (const file of istio) await writeFile(join(directory, name, file), text);
}

async function turnDataTo(name: string): Promise<void> {
  await symlink(name, join(directory, "..data_tmp"));
  await rename(join(directory, "..data_tmp"), join(directory, "..data"));
}

const istio = ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"];
const tls = ["tls.crt", "tls.key", "ca.crt"];

describe("readCacertsDirectory", () => {
  it.each<[string, string[]]>([
    ["an empty directory", []],
    ["unrelated files", ["lost+found", "README"]],
    ["a CRL alone", ["ca-crl.pem"]],
  ])("finds no CA in %s", async (_, names) => {
    await fill(...names);
    expect(await readCacertsDirectory(directory)).toBeUndefined();
  });

  it("finds no CA where there is no directory", async () => {
    expect(await readCacertsDirectory(join(directory, "missing"))).toBeUndefined();
  });

  it("reads Istio's layout", async () => {
    await fill(...istio);
    expect(await readCacertsDirectory(directory)).toEqual({
      files: {
        certificatePem: "text of ca-cert.pem",
        privateKeyPem: "text of ca-key.pem",
        chainPem: "text of cert-chain.pem",
        rootPem: "text of root-cert.pem",
      },
      keyPath: join(directory, "ca-key.pem"),
      keyExposed: false,
      generated: false,
    });
  });

  it.each([
    ["Istio's layout", istio],
    ["the layout of a TLS Secret", tls],
  ])("reads the revocation lists and the marker of istiod beside %s", async (_, names) => {
    await fill(...names, "ca-crl.pem", "istio-generated");
    const found = await readCacertsDirectory(directory);
    expect(found?.files.crlPem).toBe("text of ca-crl.pem");
    expect(found?.generated).toBe(true);
  });

  it("takes an empty ca-crl.pem for none", async () => {
    await fill(...istio);
    await writeFile(join(directory, "ca-crl.pem"), " \n");
    expect((await readCacertsDirectory(directory))?.files).not.toHaveProperty("crlPem");
  });

  it("reads the layout of a TLS Secret, which wins, as in istiod", async () => {
    await fill(...tls, ...istio);
    expect((await readCacertsDirectory(directory))?.files).toEqual({
      certificatePem: "text of tls.crt",
      privateKeyPem: "text of tls.key",
      chainPem: "text of tls.crt\ntext of ca.crt",
      rootPem: "text of ca.crt",
    });
  });

  it("reads through the symbolic links of a mounted Secret", async () => {
    const data = join(directory, "..2026_11_01");
    await mkdir(data);
    for (const name of istio) await writeFile(join(data, name), name);
    await symlink("..2026_11_01", join(directory, "..data"));
    for (const name of istio) await symlink(join("..data", name), join(directory, name));
    expect((await readCacertsDirectory(directory))?.files.rootPem).toBe("root-cert.pem");
  });

  it("never mixes two versions of a mounted Secret", async () => {
    await mountSecret("version 1");
    for (const name of istio) await symlink(join("..data", name), join(directory, name));
    let isSwapped = false;
    const swapAfterFirst: ReadFile = async (path, maxBytes) => {
      const text = await readFileCapped(path, maxBytes);
      if (!isSwapped) await mountSecret("version 2");
      isSwapped = true;
      return text;
    };
    const found = await readCacertsDirectory(directory, swapAfterFirst);
    expect(Object.values(found?.files ?? {})).toEqual(Array(4).fill("version 2"));
  });

  it("reads all of a mounted Secret from where its link led first, even if nothing is removed", async () => {
    await mountSecret("version 1");
    await cp(join(directory, "..version_1"), join(directory, "..kept"), { recursive: true });
    await turnDataTo("..kept");
    for (const name of istio) await symlink(join("..data", name), join(directory, name));
    const seen: string[] = [];
    const readWhileTurning: ReadFile = async (path, maxBytes) => {
      const text = await readFileCapped(path, maxBytes);
      seen.push(text.toString("utf8"));
      if (seen.length === 1) await writeVersion("..other", "version 2");
      if (seen.length === 1) await turnDataTo("..other");
      return text;
    };
    const found = await readCacertsDirectory(directory, readWhileTurning);
    expect(seen.slice(0, 4)).toEqual(Array(4).fill("version 1"));
    expect(Object.values(found?.files ?? {})).toEqual(Array(4).fill("version 2"));
  });

  it("waits for somebody who replaces files in their place", async () => {
    await fill(...istio);
    let reads = 0;
    const writeBetween: ReadFile = async (path, maxBytes) => {
      const text = await readFileCapped(path, maxBytes);
      if (++reads === 2) for (const name of istio) await writeFile(join(directory, name), "new");
      return text;
    };
    const found = await readCacertsDirectory(directory, writeBetween);
    expect(Object.values(found?.files ?? {})).toEqual(Array(4).fill("new"));
  });

  it("gives up on a directory that never rests", async () => {
    await fill(...istio);
    let reads = 0;
    const writeAlways: ReadFile = async (path, maxBytes) => {
      await writeFile(join(directory, "root-cert.pem"), `${++reads}`);
      return readFileCapped(path, maxBytes);
    };
    await expect(readCacertsDirectory(directory, writeAlways)).rejects.toMatchObject({
      code: "cacerts-unreadable",
      message: expect.stringMatching(/its files change while they are read$/),
    });
    expect(reads).toBeLessThan(50);
  });

  it("reads what a link that is itself the directory leads to", async () => {
    await fill(...istio);
    const link = `${directory}-link`;
    await symlink(directory, link);
    const found = await readCacertsDirectory(link).finally(() => rm(link));
    expect(found?.files.rootPem).toBe("text of root-cert.pem");
  });

  it("refuses a link that leads to itself", async () => {
    await symlink("..data", join(directory, "..data"));
    expect((await failure()).code).toBe("cacerts-unreadable");
  });

  it.each(istio)("says that %s is missing", async (missing) => {
    await fill(...istio.filter((name) => name !== missing));
    const error = await failure();
    expect(error.code).toBe("cacerts-incomplete");
    expect(error.message).toContain(`${missing} missing`);
  });

  it.each(tls)("says that %s of a TLS Secret is missing", async (missing) => {
    await fill(...tls.filter((name) => name !== missing));
    const error = await failure();
    expect(error.code).toBe("cacerts-incomplete");
    expect(error.message).toContain(`${missing} missing`);
  });

  it("refuses a directory that is a file", async () => {
    directory = join(directory, "file");
    await writeFile(directory, "");
    expect((await failure()).code).toBe("cacerts-unreadable");
  });

  it("refuses a file without end", async () => {
    await fill(...istio);
    await writeFile(join(directory, "root-cert.pem"), Buffer.alloc(1024 * 1024 + 1));
    expect((await failure()).code).toBe("cacerts-unreadable");
  });

  it("tells when others may read the key", async () => {
    await fill(...istio);
    await chmod(join(directory, "ca-key.pem"), 0o644);
    expect((await readCacertsDirectory(directory))?.keyExposed).toBe(true);
  });
});
