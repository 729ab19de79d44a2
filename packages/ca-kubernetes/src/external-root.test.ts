import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readExternalRoot } from "./external-root.ts";

describe("readExternalRoot", () => {
  let directory: string;
  let rootFile: string;
  let clusterRootFile: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "signet-root-"));
    rootFile = join(directory, "root-cert.pem");
    clusterRootFile = join(directory, "ca.crt");
  });

  afterEach(() => rm(directory, { recursive: true }));

  it("prefers the root file", async () => {
    await writeFile(rootFile, "root");
    await writeFile(clusterRootFile, "cluster");
    expect(await readExternalRoot({ rootFile, clusterRootFile })).toBe("root");
  });

  it("takes the cluster's CA when there is no root file, but not for signers that callers name", async () => {
    await writeFile(clusterRootFile, "cluster");
    expect(await readExternalRoot({ rootFile, clusterRootFile })).toBe("cluster");
    expect(await readExternalRoot({ rootFile, clusterRootFile, certSignerDomain: "example.com" })).toBeUndefined();
  });

  it("finds none where there is none", async () => {
    expect(await readExternalRoot({ rootFile, clusterRootFile })).toBeUndefined();
  });

  it.each(["a directory", "too large a file"])("refuses %s, naming it", async (what) => {
    if (what === "a directory") await mkdir(rootFile);
    else await writeFile(rootFile, Buffer.alloc(1024 * 1024 + 1));
    await expect(readExternalRoot({ rootFile, clusterRootFile })).rejects.toMatchObject({
      code: "root-unreadable",
      message: expect.stringContaining(rootFile),
    });
  });
});
