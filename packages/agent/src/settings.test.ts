import { describe, expect, it } from "vitest";
import { parseAgentSettings } from "./parse-settings.ts";
import { type AgentSettings, sdsSocketPath, workloadKeyType } from "./settings.ts";

type Env = Readonly<Record<string, string>>;

function settingsOf(env: Env, args: readonly string[] = []): AgentSettings {
  const result = parseAgentSettings(args, env);
  if (result.kind !== "settings") throw new Error(JSON.stringify(result));
  return result.settings;
}

function problemsOf(env: Env, args: readonly string[] = []): readonly string[] {
  const result = parseAgentSettings(args, env);
  return result.kind === "invalid" ? result.problems : [];
}

describe("the agent's settings", () => {
  it("have Istio's defaults, but for the key", () => {
    const settings = settingsOf({});
    expect(settings).toMatchObject({
      caAddress: { host: "istiod.istio-system.svc", port: 15012 },
      tokenFile: "./var/run/secrets/tokens/istio-token",
      trustDomain: "cluster.local",
      ttlMs: 86_400_000,
      graceRatio: 0.5,
      graceRatioJitter: 0.01,
      pkcs8Key: false,
      statusListen: { host: "::", port: 15020 },
      caHeaders: {},
    });
    expect(sdsSocketPath(settings)).toBe("./var/run/secrets/workload-spiffe-uds/socket");
    expect(workloadKeyType(settings)).toBe("P-256");
  });

  it("take a flag before the environment", () => {
    const env = { CA_ADDR: "a.example:1", SIGNET_SDS_SOCKET: "/run/a.sock", SECRET_TTL: "1h" };
    const settings = settingsOf(env, ["--ca-addr", "b.example:2", "--sds-socket=/run/b.sock"]);
    expect(settings.caAddress).toEqual({ host: "b.example", port: 2 });
    expect(sdsSocketPath(settings)).toBe("/run/b.sock");
    expect(settings.ttlMs).toBe(3_600_000);
  });

  it("allow certificates of ten seconds", () => {
    expect(settingsOf({ SECRET_TTL: "10s" }).ttlMs).toBe(10_000);
  });

  it("pick up CA_HEADER_* variables", () => {
    expect(settingsOf({ CA_HEADER_X_TEAM: "red" }).caHeaders).toEqual({ x_team: "red" });
  });

  it.each<[Env, string]>([
    [{}, "P-256"],
    [{ WORKLOAD_RSA_KEY_SIZE: "" }, "P-256"],
    [{ WORKLOAD_RSA_KEY_SIZE: "2048" }, "RSA-2048"],
    [{ WORKLOAD_RSA_KEY_SIZE: "4096" }, "RSA-4096"],
    [{ ECC_SIGNATURE_ALGORITHM: "ECDSA" }, "P-256"],
    [{ ECC_SIGNATURE_ALGORITHM: "ECDSA", ECC_CURVE: "P384" }, "P-384"],
    [{ ECC_SIGNATURE_ALGORITHM: "ECDSA", WORKLOAD_RSA_KEY_SIZE: "2048" }, "P-256"],
    [{ ECC_CURVE: "P384" }, "P-256"],
  ])("make of %j a key %s", (env, keyType) => {
    expect(workloadKeyType(settingsOf(env))).toBe(keyType);
  });

  it("name another socket in Istio's directory", () => {
    const settings = settingsOf({ WORKLOAD_IDENTITY_SOCKET_FILE: "other" });
    expect(sdsSocketPath(settings)).toBe("./var/run/secrets/workload-spiffe-uds/other");
  });

  it.each<[Env, string]>([
    [{ CA_ADDR: "nowhere" }, "CA_ADDR"],
    [{ CA_ADDR: "localhost:0" }, "CA_ADDR"],
    [{ TRUST_DOMAIN: "Not A Domain" }, "TRUST_DOMAIN"],
    [{ SECRET_TTL: "500ms" }, "SECRET_TTL"],
    [{ SECRET_TTL: "a day" }, "SECRET_TTL"],
    [{ SECRET_GRACE_PERIOD_RATIO: "1.5" }, "SECRET_GRACE_PERIOD_RATIO"],
    [{ SECRET_GRACE_PERIOD_RATIO: "NaN" }, "SECRET_GRACE_PERIOD_RATIO"],
    [{ SECRET_GRACE_PERIOD_RATIO_JITTER: "-0.1" }, "SECRET_GRACE_PERIOD_RATIO_JITTER"],
    [{ WORKLOAD_RSA_KEY_SIZE: "1024" }, "WORKLOAD_RSA_KEY_SIZE"],
    [{ ECC_SIGNATURE_ALGORITHM: "EdDSA" }, "ECC_SIGNATURE_ALGORITHM"],
    [{ ECC_CURVE: "P521" }, "ECC_CURVE"],
    [{ PKCS8_KEY: "perhaps" }, "PKCS8_KEY"],
    [{ WORKLOAD_IDENTITY_SOCKET_FILE: "../socket" }, "WORKLOAD_IDENTITY_SOCKET_FILE"],
    [{ SIGNET_SDS_SOCKET: `/${"a".repeat(107)}` }, "SIGNET_SDS_SOCKET"],
    [{ SIGNET_SDS_SOCKET_MODE: "rw" }, "SIGNET_SDS_SOCKET_MODE"],
    [{ PILOT_CERT_PROVIDER: "none" }, "PILOT_CERT_PROVIDER"],
    [{ CA_HEADER_AUTHORIZATION: "secret" }, "CA_HEADER_AUTHORIZATION"],
    [{ SIGNET_LOG_LEVEL: "loud" }, "SIGNET_LOG_LEVEL"],
  ])("refuse %j", (env, variable) => {
    const problems = problemsOf(env);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.startsWith(variable)).toBe(true);
  });

  it("report every problem at once, without the value of a header", () => {
    const env = { CA_ADDR: "x", SECRET_TTL: "x", CA_HEADER_AUTHORIZATION: "Bearer hunter2" };
    const problems = problemsOf(env, ["--no-such-flag"]);
    expect(problems).toHaveLength(4);
    expect(problems.join("\n")).not.toContain("hunter2");
  });

  it("know help", () => {
    expect(parseAgentSettings(["--help"], { CA_ADDR: "x" }).kind).toBe("help");
  });
});

describe("variables of Istio that ask for what there is not", () => {
  it.each([
    ["CA_PROVIDER", "GkeWorkloadCertificate", "Citadel"],
    ["CREDENTIAL_FETCHER_TYPE", "GoogleComputeEngine", "JWT"],
    ["PROV_CERT", "/var/run/secrets/istio", ""],
  ])("%s=%s stops the start, %s does not", (name, value, harmless) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(`^${name}: .* is not supported`)]);
    expect(problemsOf({ [name]: harmless })).toEqual([]);
  });
});
