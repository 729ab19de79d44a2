import { describe, expect, test } from "vitest";
import { parseAuthzSettings } from "./parse-settings.ts";

const policies = ["--policies", "p"];

describe("settings", () => {
  test("have defaults that deny", () => {
    const result = parseAuthzSettings(policies, {});
    expect(result).toMatchObject({
      kind: "settings",
      settings: {
        onFailure: "deny",
        jwtFirst: false,
        deadlineMs: 5_000,
        decisionLog: "denied",
        profile: "istio",
        redact: [],
      },
    });
  });

  test("are read from the environment and from flags", () => {
    const env = {
      SIGNET_AUTHZ_POLICIES: "p",
      SIGNET_AUTHZ_JWT_FIRST: "true",
      SIGNET_AUTHZ_WORKLOADS: '{"spiffe://td/ns/foo/sa/a": "foo/app=a"}',
      BLOCKED_CIDRS_IN_JWKS_URIS: "192.0.2.0/24,2001:db8::/32,203.0.113.7",
    };
    const result = parseAuthzSettings(["--decision-log-redact", "path,host"], env);
    if (result.kind !== "settings") throw new Error("the settings are refused");
    expect(result.settings).toMatchObject({ jwtFirst: true, redact: ["path", "host"] });
    expect(result.settings.refusedCidrs).toHaveLength(3);
    expect(result.settings.workloads.get("spiffe://td/ns/foo/sa/a")?.namespace).toBe("foo");
  });

  test.each([
    ["no documents", [], "SIGNET_AUTHZ_POLICIES (flag --policies) is missing"],
    ["a mode that is none", [...policies, "--socket-mode", "rw"], "is not an octal mode"],
    ["a socket path that is too long", [...policies, "--socket", "x".repeat(200)], "a Unix socket path has at most"],
    ["a range that is none", [...policies, "--blocked-cidrs-in-jwks-uris", "10.0.0.0/33"], "is no range such as"],
    ["workloads that are none", [...policies, "--workloads", '{"a": 1}'], "a workload is text"],
    ["a workload that is none", [...policies, "--workload", "Foo"], "is no namespace"],
    ["a field there is not", [...policies, "--decision-log-redact", "cookie"], "there is no field"],
    ["a share that is none", [...policies, "--decision-log-sample", "2"], "a share is a number from 0 to 1"],
  ])("with %s are refused", (_, args, problem) => {
    const result = parseAuthzSettings(args, {});
    if (result.kind !== "invalid") throw new Error("the settings are taken");
    expect(result.problems.join()).toContain(problem);
  });
});
