import { type PathNormalization, parseWorkload } from "@signet/documents";
import { compilePolicies, decide, normalizePath, policiesFor, requestHeaders } from "@signet/policy";
import { makePolicy } from "@signet/policy/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { everyOctet, knownPaths, makeOddPath } from "./paths/odd-paths.ts";
import { levels, type PathMesh, startPathMesh } from "./paths/path-mesh.ts";
import { readEcho } from "./support/echo-upstream.ts";
import { Random } from "./support/random.ts";
import { RawConnection } from "./support/raw-client.ts";
import { differentialRuns, differentialTimeoutMs } from "./support/runs.ts";

const envoy = await findTestEnvoy();
const { runs, seed } = differentialRuns(2_000);

const denyAdmin = makePolicy({
  name: "admin",
  action: "DENY",
  rules: [{ to: [{ paths: ["/admin", "/admin/*", "*.secret"] }] }],
});
const allowSome = makePolicy({
  name: "some",
  rules: [{ to: [{ paths: ["/x/*", "/{*}", "/{*}/{**}"] }] }, { to: [{ notPaths: ["/x*", "*admin*"] }] }],
});
const documents = [denyAdmin, allowSome];
const policies = policiesFor(compilePolicies({ documents, refused: [] }).compiled, parseWorkload("foo/app=httpbin"));

/** What becomes of a path: forwarded in some form, refused by a rule, or answered as no path at all. */
type Fate = string;

function ours(path: string, level: PathNormalization): Fate {
  const normal = normalizePath(path, { normalization: level });
  if (normal === undefined) return "400";
  const { effect, id = "none" } = decide(policies, {
    kind: "http",
    method: "GET",
    host: "x",
    path: normal,
    headers: requestHeaders([]),
  });
  return effect === "deny" ? `403 ${id}` : `200 ${normal}`;
}

async function theirs(connection: RawConnection, path: string): Promise<Fate> {
  const exchange = await connection.send(Buffer.from(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`, "latin1"));
  if (exchange.kind === "closed") return "closed";
  const { status, body } = exchange.response;
  const seen = readEcho(body);
  return seen === undefined ? String(status) : `${status} ${seen.startLine.split(" ")[1]}`;
}

/**
 * Where we are stricter on purpose: Envoy takes parameters off dot segments before it decodes them and makes slashes of backslashes,
 * an encoded NUL in them included, and leaves a path of slashes alone as two; here neither is left.
 */
function isExplained(path: string, { actual, expected }: { readonly actual: Fate; readonly expected: Fate }): boolean {
  const hasDisguise = /(\\|%5c)(\.|%2e){1,2};|([/\\]|%2f|%5c)(%2e(\.|%2e)?|\.%2e);/i.test(path);
  const hasHiddenNul = expected === "400" && /\/\.{1,2};[^/]*%00/.test(path);
  return hasDisguise || hasHiddenNul || /^200 \/\/(\?|$)/.test(actual);
}

describe.skipIf(envoy.path === "")(`path normalization of a real Envoy ${envoy.version}${envoy.skipped}`, () => {
  let mesh: PathMesh;
  beforeAll(async () => {
    mesh = await startPathMesh(envoy.path, documents);
  });
  afterAll(() => mesh?.stop());

  test.each(levels)(
    "%s: paths reach policies and upstreams as we would have them",
    async (level) => {
      const random = new Random(seed);
      const made = Array.from({ length: Math.ceil(runs / levels.length) }, () => makeOddPath(random));
      let connection = RawConnection.to({ path: mesh.socketOf(level) });
      const differing: string[] = [];
      for (const path of [...knownPaths, ...everyOctet, ...made]) {
        if (!connection.usable) connection = RawConnection.to({ path: mesh.socketOf(level) });
        const [actual, expected] = [await theirs(connection, path), ours(path, level)];
        const known = expected.startsWith("403") ? "403" : expected;
        if (actual !== known && !isExplained(path, { actual, expected }))
          differing.push(`${path}: Envoy ${actual}, ours ${expected}`);
      }
      connection.close();
      expect(differing.slice(0, 200)).toEqual([]);
    },
    differentialTimeoutMs,
  );
});
