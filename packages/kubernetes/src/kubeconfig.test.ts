import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseKubeconfig } from "./kubeconfig.ts";

const pem = readFileSync(new URL("./testing/testdata/client.pem", import.meta.url), "utf8");
const key = readFileSync(new URL("./testing/testdata/client.key", import.meta.url), "utf8");
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const server = "https://api.example:6443";

type Entry = Record<string, unknown>;

function config(cluster: Entry, user: Entry): Entry {
  return {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "main" },
    contexts: [{ name: "main", context: { cluster: "main", user: "me" } }],
    clusters: [{ name: "main", cluster: { server, ...cluster } }],
    users: [{ name: "me", user }],
  };
}

const asText = { allowExec: false };
const asFile = { allowExec: true, directory: "/etc/signet" };

describe("parseKubeconfig", () => {
  it("takes data as they are", () => {
    const cluster = { "certificate-authority-data": base64(pem), "tls-server-name": "kubernetes" };
    const user = { "client-certificate-data": base64(pem), "client-key-data": base64(key), token: "abc" };
    expect(parseKubeconfig(config(cluster, user), asText)).toEqual({
      server: new URL(server),
      serverName: "kubernetes",
      parts: { ca: { text: pem }, certificate: { text: pem }, key: { text: key }, token: { text: "abc" } },
    });
  });

  it("takes paths from beside the file, and a token's file before its copy", () => {
    const cluster = { "certificate-authority": "ca.pem" };
    const user = {
      "client-certificate": "/tls/client.pem",
      "client-key": "../client.key",
      tokenFile: "token",
      token: "abc",
    };
    expect(parseKubeconfig(config(cluster, user), asFile).parts).toEqual({
      ca: { path: "/etc/signet/ca.pem" },
      certificate: { path: "/tls/client.pem" },
      key: { path: "/etc/client.key" },
      token: { path: "/etc/signet/token" },
    });
  });

  it("takes a program from a file that may name one", () => {
    const env = [
      { name: "PROFILE", value: "a" },
      { name: "EMPTY", value: "" },
    ];
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "./get-token", args: ["--json"], env };
    const parsed = parseKubeconfig(config({}, { exec }), asFile);
    expect(parsed.exec).toEqual({
      apiVersion: "client.authentication.k8s.io/v1",
      command: "/etc/signet/get-token",
      args: ["--json"],
      environment: { PROFILE: "a", EMPTY: "" },
    });
    const onPath = { ...exec, command: "get-token" };
    expect(parseKubeconfig(config({}, { exec: onPath }), { allowExec: true }).exec?.command).toBe("get-token");
  });

  it("takes a context without a user, and empty fields for none", () => {
    const anonymous = { ...config({}, {}), contexts: [{ name: "main", context: { cluster: "main" } }] };
    expect(parseKubeconfig(anonymous, asText).parts).toEqual({});
    const empty = config({ "insecure-skip-tls-verify": false, "proxy-url": "" }, { token: "", username: null });
    expect(parseKubeconfig(empty, asText).parts).toEqual({});
  });

  it.each<[string, Entry, Entry]>([
    ["insecure-skip-tls-verify", { "insecure-skip-tls-verify": true }, {}],
    ["insecure-skip-tls-verify", { "insecure-skip-tls-verify": "true" }, {}],
    ["proxy-url", { "proxy-url": "http://proxy" }, {}],
    ["not https", { server: "http://127.0.0.1:8001" }, {}],
    ["not a URL", { server: "api.example" }, {}],
    ["user, a query or a fragment", { server: "https://me:secret@api.example" }, {}],
    ["no server", { server: undefined }, {}],
    ["not base64", { "certificate-authority-data": "%%%" }, {}],
    ["not a certificate", { "certificate-authority-data": base64("no PEM") }, {}],
    ["not a key", {}, { "client-certificate-data": base64(pem), "client-key-data": base64(pem) }],
    ["without its key", {}, { "client-certificate-data": base64(pem) }],
    ["a key without its certificate", {}, { "client-key-data": base64(key) }],
    ["auth-provider", {}, { "auth-provider": { name: "gcp" } }],
    ["basic authentication", {}, { username: "admin", password: "secret" }],
    ["impersonation", {}, { as: "system:admin" }],
    ["impersonation", {}, { "as-groups": ["system:masters"] }],
    ["token that is not text", {}, { token: 42 }],
  ])("refuses: %s", (expected, cluster, user) => {
    for (const trust of [asText, asFile]) {
      const parse = () => parseKubeconfig(config(cluster, user), trust);
      expect(parse).toThrow(expect.objectContaining({ code: "config-invalid" }));
      expect(parse).toThrow(expected);
      expect(parse).not.toThrow("secret");
    }
  });

  it.each<[string, Entry, Entry]>([
    ["certificate-authority", { "certificate-authority": "/etc/passwd" }, {}],
    ["client-certificate", {}, { "client-certificate": "a", "client-key": "b" }],
    ["tokenFile", {}, { tokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token" }],
    ["token-file", {}, { "token-file": "/var/run/secrets/kubernetes.io/serviceaccount/token" }],
    ["token-file", {}, { "token-file": "token", token: "abc" }],
    ["exec", {}, { exec: { apiVersion: "v1", command: "sh" } }],
  ])("refuses of a text from elsewhere what reaches for ours: %s", (expected, cluster, user) => {
    const parse = () => parseKubeconfig(config(cluster, user), asText);
    expect(parse).toThrow(expect.objectContaining({ code: "config-invalid" }));
    expect(parse).toThrow(expected);
  });

  it("refuses a program that needs a terminal, and one that is not described", () => {
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "login" };
    const wrong = [
      { ...exec, interactiveMode: "Always" },
      { ...exec, command: "" },
      { ...exec, args: [1] },
      { ...exec, env: ["A=b"] },
      { command: "login" },
      "login",
    ];
    for (const each of wrong) {
      expect(() => parseKubeconfig(config({}, { exec: each }), asFile)).toThrow(
        expect.objectContaining({ code: "config-invalid" }),
      );
    }
  });

  it.each<[string, unknown]>([
    ["not a kubeconfig", "text"],
    ["no current-context", { ...config({}, {}), "current-context": "" }],
    ["no context", { ...config({}, {}), contexts: [] }],
    ["no cluster", { ...config({}, {}), clusters: null }],
    ["no user", { ...config({}, {}), users: [{ name: "other", user: {} }] }],
    [
      "twice",
      {
        ...config({}, {}),
        users: [
          { name: "me", user: {} },
          { name: "me", user: { token: "a" } },
        ],
      },
    ],
  ])("refuses one that has or is %s", (expected, value) => {
    expect(() => parseKubeconfig(value, asText)).toThrow(expected);
  });
});
