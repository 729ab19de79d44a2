// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the placeholders look like this.
import { describe, expect, test } from "vitest";
import { fillPlaceholders, readBootstrap } from "./envoy-bootstrap.ts";

describe("fillPlaceholders", () => {
  test("puts values in and leaves comments alone", () => {
    const filled = fillPlaceholders('# ${OTHER}\na: "x/${NAME}"\nb: ${PORT}\n', { NAME: "n", PORT: 80 });
    expect(filled).toBe('# ${OTHER}\na: "x/n"\nb: 80\n');
  });

  test("escapes for the quotes around it", () => {
    expect(fillPlaceholders('a: "${NAME}"', { NAME: 'quote " and \\' })).toBe('a: "quote \\" and \\\\"');
  });

  test("refuses a placeholder without a value and a value without a placeholder", () => {
    expect(() => fillPlaceholders("a: ${NAME}", {})).toThrow("no value for the placeholder NAME");
    expect(() => fillPlaceholders("a: b", { NAME: "n" })).toThrow("no placeholder for NAME");
  });
});

test("the templates in deploy/envoy have the documented placeholders", async () => {
  const common = { NODE_ID: "n", ADMIN_SOCKET: "/a", SDS_SOCKET: "/s", LISTEN_PORT: 0 };
  const behind = { WORKLOAD_PORT: 1, AUTHZ_SOCKET: "/z" };
  const backend = await readBootstrap("backend", { ...common, ...behind, TRUST_DOMAIN: "cluster.local" });
  const frontend = await readBootstrap("frontend", { ...common, BACKEND_PORT: 2, BACKEND_SPIFFE_ID: "spiffe://a/b" });
  for (const text of [backend, frontend]) {
    expect(text).toContain('pipe: { path: "/s" }');
    expect(text).toContain("retry_back_off: { base_interval: 0.1s, max_interval: 1s }");
  }
  expect(backend).toContain("require_client_certificate: true");
  expect(backend).toContain('pipe: { path: "/z" }');
  expect(backend).toContain("failure_mode_allow: false");
  expect(backend).toContain('prefix: "spiffe://cluster.local/"');
  expect(frontend).toContain('exact: "spiffe://a/b"');
});
