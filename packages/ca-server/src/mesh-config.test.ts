import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyMeshConfig } from "./mesh-config.ts";
import { type CaServerSettings, parseCaServerSettings } from "./settings.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-mesh-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function settings(text: string | undefined, env: Record<string, string> = {}): Promise<CaServerSettings> {
  const path = join(directory, "mesh");
  if (text !== undefined) await writeFile(path, text);
  const parsed = parseCaServerSettings({ env: { SIGNET_MESH_CONFIG: path, ...env }, args: [] });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  return parsed.settings;
}

describe("applyMeshConfig", () => {
  it("takes trust domain, aliases and the discovery address", async () => {
    const text = [
      "trustDomain: prod@example.com",
      "trustDomainAliases: [old.example, prod@example.com]",
      "defaultConfig: { discoveryAddress: 'istiod.mesh.example:15012' }",
    ].join("\n");
    const applied = await applyMeshConfig(await settings(text));
    expect(applied.trustDomain).toBe("prod.example.com");
    expect(applied.trustDomainAliases).toEqual(new Set(["old.example"]));
    expect(applied.servingNames.dnsNames).toContain("istiod.mesh.example");
  });

  it.each([
    ["192.0.2.1:15012", "192.0.2.1"],
    ["[2001:db8::1]:15012", "2001:db8::1"],
  ])("takes a discovery address %s for an address", async (address, ip) => {
    const applied = await applyMeshConfig(await settings(`defaultConfig: { discoveryAddress: '${address}' }`));
    expect(applied.servingNames.ipAddresses).toEqual([ip]);
  });

  it("lets a setting outrank the trust domain", async () => {
    const given = await settings("trustDomain: mesh.example", { SIGNET_TRUST_DOMAIN: "mine.example" });
    expect((await applyMeshConfig(given)).trustDomain).toBe("mine.example");
  });

  it("changes nothing when the file is empty, or where none need be", async () => {
    const given = await settings("");
    expect(await applyMeshConfig(given)).toEqual({ ...given, trustDomainAliases: new Set() });
    await rm(join(directory, "mesh"));
    const missing = await settings(undefined);
    const optional = { ...missing, meshConfig: { ...missing.meshConfig, required: false } };
    expect(await applyMeshConfig(optional)).toBe(optional);
  });

  it.each<[string, string | undefined]>([
    ["is missing", undefined],
    ["is no YAML", "a: [b"],
    ["names no trust domain", "trustDomain: 'Not A Domain'"],
    ["is too large", "#".repeat(2 * 1024 * 1024)],
  ])("refuses a file that %s", async (_, text) => {
    await expect(applyMeshConfig(await settings(text))).rejects.toMatchObject({ code: "mesh-config-invalid" });
  });
});
