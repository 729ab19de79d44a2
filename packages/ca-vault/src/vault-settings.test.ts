import { parseSettings } from "@signet/runtime";
import { describe, expect, it } from "vitest";
import { vaultSettings } from "./setting-spec.ts";
import { readVaultSettings } from "./vault-settings.ts";

function read(env: Readonly<Record<string, string>>): ReturnType<typeof readVaultSettings> {
  const parsed = parseSettings(vaultSettings, { env, args: [] });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  return readVaultSettings(parsed.values);
}

const address = { VAULT_ADDR: "https://vault.example:8200" };
const token = { ...address, VAULT_TOKEN: "hvs.token" };

describe("readVaultSettings", () => {
  it("has nothing to say without VAULT_ADDR", () => {
    expect(read({ VAULT_TOKEN: "hvs.token", SIGNET_VAULT_AUTH: "approle" })).toEqual({ problems: [] });
  });

  it("has defaults for all but the address and the token", () => {
    expect(read(token)).toEqual({
      problems: [],
      settings: {
        address: "https://vault.example:8200",
        auth: { kind: "token", token: "hvs.token" },
        pkiMount: "pki",
        ...{ role: "signet", servingRole: "signet", timeoutMs: 5000, refreshMs: 60_000 },
      },
    });
  });

  it("reads all there is", () => {
    const { settings, problems } = read({
      ...{ ...token, VAULT_NAMESPACE: "mesh/", VAULT_CACERT: "/ca.pem" },
      ...{ VAULT_CLIENT_CERT: "/client.pem", VAULT_CLIENT_KEY: "/client.key", SIGNET_VAULT_AUTH: "cert" },
      ...{ SIGNET_VAULT_AUTH_MOUNT: "/team/cert/", SIGNET_VAULT_AUTH_ROLE: "signet" },
      ...{ SIGNET_VAULT_PKI_MOUNT: "/team/pki/", SIGNET_VAULT_ROLE: "mesh", SIGNET_VAULT_SERVING_ROLE: "servers" },
      ...{ SIGNET_VAULT_ISSUER: "mesh-2026", SIGNET_VAULT_ROOT_FILE: "/roots.pem" },
      ...{ SIGNET_VAULT_TIMEOUT: "2s", SIGNET_VAULT_REFRESH: "10s" },
    });
    expect(problems).toEqual([]);
    expect(settings).toEqual({
      ...{ address: "https://vault.example:8200", namespace: "mesh/", caFile: "/ca.pem" },
      clientCertificate: { certificateFile: "/client.pem", keyFile: "/client.key" },
      auth: { kind: "cert", mount: "team/cert", role: "signet" },
      ...{ pkiMount: "team/pki", role: "mesh", servingRole: "servers", issuer: "mesh-2026" },
      ...{ pinnedRootFile: "/roots.pem", timeoutMs: 2000, refreshMs: 10_000 },
    });
  });

  it.each<[string, Readonly<Record<string, string>>, unknown]>([
    ["token-file", { SIGNET_VAULT_TOKEN_FILE: "/token" }, { kind: "token-file", path: "/token" }],
    ["approle", { SIGNET_VAULT_ROLE_ID: "id" }, { kind: "approle", mount: "approle", roleId: "id" }],
    [
      "approle",
      { SIGNET_VAULT_ROLE_ID: "id", SIGNET_VAULT_SECRET_ID_FILE: "/secret" },
      { kind: "approle", mount: "approle", roleId: "id", secretIdFile: "/secret" },
    ],
    [
      "kubernetes",
      { SIGNET_VAULT_AUTH_ROLE: "signet", SIGNET_VAULT_AUTH_MOUNT: "cluster-1" },
      {
        ...{ kind: "kubernetes", mount: "cluster-1", role: "signet" },
        tokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token",
      },
    ],
    ["cert", { VAULT_CLIENT_CERT: "/c", VAULT_CLIENT_KEY: "/k" }, { kind: "cert", mount: "cert" }],
  ])("logs in by %s with %j", (kind, env, auth) => {
    expect(read({ ...address, SIGNET_VAULT_AUTH: kind, ...env }).settings?.auth).toEqual(auth);
  });

  it.each<[Readonly<Record<string, string>>, RegExp]>([
    [address, /^SIGNET_VAULT_AUTH token needs VAULT_TOKEN$/],
    [{ ...address, VAULT_TOKEN: "two\nlines" }, /^VAULT_TOKEN: the value \(not shown\)/],
    [{ ...address, SIGNET_VAULT_AUTH: "token-file" }, /needs SIGNET_VAULT_TOKEN_FILE/],
    [{ ...address, SIGNET_VAULT_AUTH: "approle" }, /needs SIGNET_VAULT_ROLE_ID/],
    [{ ...address, SIGNET_VAULT_AUTH: "kubernetes" }, /needs SIGNET_VAULT_AUTH_ROLE/],
    [{ ...address, SIGNET_VAULT_AUTH: "cert" }, /needs VAULT_CLIENT_CERT and VAULT_CLIENT_KEY/],
    [{ ...token, VAULT_CLIENT_CERT: "/c" }, /one is set without the other/],
    [{ ...token, VAULT_ADDR: "http://vault.example:8200" }, /^VAULT_ADDR: "http:/],
    [{ ...token, VAULT_ADDR: "vault.example:8200" }, /^VAULT_ADDR:/],
    [{ ...token, VAULT_ADDR: "https://vault.example/v1" }, /without path/],
    [{ ...token, VAULT_ADDR: "https://me:secret@vault.example" }, /^VAULT_ADDR: the value \(not shown\)/],
    [{ ...token, SIGNET_VAULT_PKI_MOUNT: "pki/../sys" }, /^SIGNET_VAULT_PKI_MOUNT: "pki\/..\/sys" is not a path/],
    [{ ...token, SIGNET_VAULT_PKI_MOUNT: "" }, /^SIGNET_VAULT_PKI_MOUNT is empty$/],
    [{ ...token, SIGNET_VAULT_PKI_MOUNT: "a//b" }, /is not a path/],
    [{ ...token, SIGNET_VAULT_ROLE: "a/b" }, /^SIGNET_VAULT_ROLE: "a\/b" is not a name/],
    [{ ...token, SIGNET_VAULT_ISSUER: "../x" }, /is not a name/],
    [{ ...token, SIGNET_VAULT_ROLE: "a?list=1" }, /is not a name/],
    [{ ...token, SIGNET_VAULT_AUTH_MOUNT: "a&#x2F;b" }, /is not a path/],
    [{ ...token, VAULT_NAMESPACE: "a\r\nX-Vault-Token: b" }, /^VAULT_NAMESPACE:/],
  ])("refuses %j", (env, problem) => {
    const { settings, problems } = read(env);
    expect(settings).toBeUndefined();
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  it.each(["http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost:8200"])("takes %s", (loopback) => {
    expect(read({ ...token, VAULT_ADDR: loopback }).settings?.address).toBe(loopback);
  });

  it("says every problem at once, and none with a secret in it", () => {
    const { problems } = read({
      ...{ VAULT_ADDR: "ftp://x", VAULT_TOKEN: "bad token", SIGNET_VAULT_ROLE: "a/b", VAULT_CLIENT_KEY: "/k" },
    });
    expect(problems).toHaveLength(4);
    expect(problems.join()).not.toContain("bad token");
  });

  it("takes the token from no flag", () => {
    expect(parseSettings(vaultSettings, { env: {}, args: ["--vault-token", "hvs.x"] }).kind).toBe("invalid");
  });
});
