import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runEnvoyConfig } from "./envoy-config.ts";

const jwks = '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}';
const kind = (name: string): string => `apiVersion: security.istio.io/v1, kind: ${name}`;
const files: Readonly<Record<string, string>> = {
  "policies.yaml": `{${kind("AuthorizationPolicy")}, metadata: {name: custom, namespace: foo}, spec: {action: CUSTOM, provider: {name: ext}, rules: [{}]}}
---
{${kind("AuthorizationPolicy")}, metadata: {name: get, namespace: foo}, spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}}
---
{${kind("RequestAuthentication")}, metadata: {name: jwt, namespace: foo}, spec: {jwtRules: [{issuer: "https://i"}, {issuer: "https://j", jwksUri: "https://j/keys"}]}}
---
{${kind("PeerAuthentication")}, metadata: {name: mesh, namespace: istio-system}, spec: {mtls: {mode: STRICT}}}
---
{${kind("AuthorizationPolicy")}, metadata: {name: bad, namespace: bar}, spec: {rule: []}}
`,
  "mesh.yaml": `extensionProviders: [{name: ext, envoyExtAuthzGrpc: {service: ext.example, port: 9000}}]\ntrustDomain: prod.example\n`,
  "bad-mesh.yaml": "trustDomain: {}\n",
  "jwks.json": jwks,
};

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "envoy-config-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
});
afterAll(async () => await rm(directory, { recursive: true, force: true }));

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a line whose words that begin with @ are files of the directory. */
async function run(line: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const written = { stdout: "", stderr: "" };
  const args = line
    .trim()
    .split(" ")
    .map((word) => word.replace("@", `${directory}/`));
  const code = await runEnvoyConfig(args, env, {
    stdout: { write: (text: string) => (written.stdout += text) },
    stderr: { write: (text: string) => (written.stderr += text) },
  });
  return { code, ...written };
}

const line = "--policies @policies.yaml --workload foo/app=httpbin --mesh-config @mesh.yaml -o json";

/** What is printed, by name. */
async function namesOf(rest: string, env: NodeJS.ProcessEnv = {}): Promise<readonly string[]> {
  const { stdout } = await run(`${line} ${rest}`, env);
  return JSON.parse(stdout).map(({ name }: { readonly name: string }) => name.replace("envoy.filters.", ""));
}

describe("signet envoy-config", () => {
  test("prints filters in the order of a chain, and warnings beside them", async () => {
    expect(await namesOf("")).toEqual(["http.rbac", "http.ext_authz", "http.jwt_authn", "http.rbac"]);
    const { code, stderr } = await run(line);
    expect(code).toBe(0);
    expect(stderr.split("\n")).toEqual([
      expect.stringMatching(/policies.yaml:9:.*unknown field/),
      'signet envoy-config: warning: every token of issuer "https://i" will be refused: no keys are given for it',
      expect.stringContaining('keys of issuer "https://j" are fetched from cluster outbound|443||j'),
      "",
    ]);
  });

  test.each([
    ["--listener gateway", ["http.rbac", "http.ext_authz", "http.jwt_authn", "http.rbac"]],
    ["--listener tcp", ["network.rbac", "network.ext_authz", "network.rbac"]],
    [
      "--filter-chains --ports 8080=http",
      [
        ...["http.rbac", "http.ext_authz", "http.jwt_authn", "http.rbac"],
        ...["0.0.0.0_8080", "virtualInbound-catchall-http", "virtualInbound"],
      ],
    ],
  ])("%s", async (rest, expected) => {
    expect(await namesOf(rest)).toEqual(expected);
  });

  test("SIGNET_AUTHZ_JWT_FIRST", async () => {
    const names = await namesOf("", { SIGNET_AUTHZ_JWT_FIRST: "true" });
    expect(names).toEqual(["http.jwt_authn", "http.rbac", "http.ext_authz", "http.rbac"]);
  });

  test("writes keys of an issuer and of a jwksUri into the filter, or lets Envoy fetch them", async () => {
    const providers = async (rest: string): Promise<unknown> => {
      const { stdout } = await run(`${line} ${rest}`);
      return JSON.parse(stdout)[2].typedConfig.providers;
    };
    const local = { localJwks: { inlineString: jwks } };
    expect(await providers("--jwks https://i=@jwks.json --jwks https://j/keys=@jwks.json")).toMatchObject({
      "origins-0": local,
      "origins-1": local,
    });
    expect(await providers("--jwks https://i=@jwks.json")).toMatchObject({
      "origins-0": local,
      "origins-1": { remoteJwks: { httpUri: { cluster: "outbound|443||j" } } },
    });
    expect(JSON.stringify(await providers("--inline-jwks"))).not.toContain("remoteJwks");
  });

  test("takes the trust domain from the mesh config, and cluster.local without", async () => {
    const withMesh = await run(`${line} --filter-chains`);
    expect(withMesh.stdout).toContain("spiffe://prod.example/");
    const without = await run("--policies @policies.yaml --workload foo --filter-chains -o=json");
    expect(without.stdout).toContain("spiffe://cluster.local/");
    expect(without.stderr).toContain("the mesh config has no such extension provider");
  });

  test("prints nothing for a workload that a refused document is meant for", async () => {
    const { code, stdout, stderr } = await run("--policies @policies.yaml --workload bar/app=a");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("no filters are printed");
  });

  test("prints an empty list for a workload without documents", async () => {
    expect(await run("--policies @policies.yaml --workload qux/app=a -o yaml")).toMatchObject({
      code: 0,
      stdout: "[]\n",
    });
  });

  test.each([
    ["--workload foo", "--policies is missing"],
    ["--policies @policies.yaml", "--workload is missing"],
    ["--policies @policies.yaml --workload Foo/a", "a workload such as foo/app=httpbin is wanted"],
    [`${line} --listener outbound`, "--listener"],
    [`${line} --listener tcp --filter-chains`, "--filter-chains is for --listener inbound alone"],
    [`${line} --ports 80=http`, "--ports is for --filter-chains alone"],
    [`${line} --filter-chains --ports 0=http`, "8080=http,5432=tcp"],
    [`${line} --filter-chains --ports 80=http,80=tcp`, "80 is there twice"],
    [`${line} --jwks @jwks.json`, "is not <issuer>=<file>"],
    [`${line} --jwks a=@nothing.json`, "nothing.json"],
    [`${line} --mesh-config @bad-mesh.yaml`, "bad-mesh.yaml:1:"],
    [`${line} --policies @nothing`, "nothing"],
    [`${line} -o xml`, "xml"],
    [`${line} policies.yaml`, "unexpected argument"],
  ])("%s ends with 2", async (args, problem) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(problem);
  });

  test("--help lists its flags", async () => {
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    expect(stdout).toContain("--filter-chains");
  });
});
