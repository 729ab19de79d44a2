import { mkdirSync, readlinkSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import type { FakeCaClient } from "@signet/agent/testing";
import { certificatePem, parseTrustBundle, privateKeyPem, type TrustBundle } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EnvoyProcess, startEnvoyProcess } from "../differential/support/envoy-process.ts";
import { type AgentUnderTest, rotationsUnderLoad, startAgentUnderTest } from "./support/agent-under-test.ts";
import { directResponse, httpOver, sdsCluster, secretOverDelta, tlsContext } from "./support/delta-sds-bootstrap.ts";
import { findTestEnvoy } from "./support/envoy.ts";

const envoy = await findTestEnvoy();

let under: AgentUnderTest;
let running: EnvoyProcess | undefined;

beforeEach(async ({ onTestFailed }) => {
  under = await startAgentUnderTest();
  onTestFailed(() => void process.stderr.write(under.agent.output.stderr));
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await under.close();
});

type Answer = { readonly status: number; readonly headers: Readonly<Record<string, unknown>>; readonly body: string };

function get(socketPath: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: "/", agent: false }, (response) => {
      const { statusCode = 0, headers } = response;
      text(response).then((body) => resolve({ status: statusCode, headers, body }), reject);
    })
      .once("error", reject)
      .end();
  });
}

/** The serial of the certificate that is shown on a new connection, verified by `ca`. */
function serialShown(path: string, ca: TestCa): Promise<bigint> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, ca: ca.pem, servername: "shop.example" }, () => {
      resolve(BigInt(`0x${socket.getPeerCertificate().serialNumber}`));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

/** What Envoy counted under names that match. */
async function counted(pattern: string): Promise<readonly number[]> {
  const lines = (await running?.ask(`/stats?filter=${encodeURIComponent(pattern)}`)) ?? "";
  return lines.split("\n").flatMap((line) => (line.includes(": ") ? [Number(line.split(": ")[1])] : []));
}

describe.skipIf(envoy.path === "")(`an Envoy ${envoy.version} with incremental SDS ${envoy.skipped}`, () => {
  it("follows key, certificate and roots on both sides of its connections, and loses no request", async () => {
    await spreadNewRoot(under.ca.ca);
    const [inbound, outbound] = [join(under.directory, "in.sock"), join(under.directory, "out.sock")];
    const [identity, roots] = [secretOverDelta("default"), secretOverDelta("ROOTCA")];
    const server = { ...tlsContext("Downstream", identity, roots), require_client_certificate: true };
    const bootstrap = {
      node: { id: "delta", cluster: "delta" },
      static_resources: {
        listeners: [
          httpOver(
            { path: inbound, name: "in", tls: server },
            directResponse({ "x-client": "%DOWNSTREAM_PEER_SERIAL%" }),
          ),
          httpOver({ path: outbound, name: "out" }, { route: { cluster: "in", timeout: "10s" } }),
        ],
        clusters: [
          sdsCluster(under.sdsSocket),
          {
            name: "in",
            type: "STATIC",
            connect_timeout: "10s",
            // Each request shakes hands anew, with the certificates of that moment.
            typed_extension_protocol_options: {
              "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                common_http_protocol_options: { max_requests_per_connection: 1 },
                explicit_http_config: { http_protocol_options: {} },
              },
            },
            load_assignment: {
              cluster_name: "in",
              endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: inbound } } } }] }],
            },
            transport_socket: {
              name: "envoy.transport_sockets.tls",
              typed_config: { ...tlsContext("Upstream", identity, roots), max_session_keys: 0 },
            },
          },
        ],
      },
    };
    running = await startEnvoyProcess({ binary: envoy.path, directory: under.directory, bootstrap });
    const serials = new Set<unknown>();
    let requests = 0;
    while (serials.size <= rotationsUnderLoad) {
      const answers = await Promise.all([get(outbound), get(outbound), get(outbound)]);
      for (const { status, headers, body } of answers) {
        expect([status, body]).toEqual([200, "hello"]);
        expect(headers["x-client"]).toMatch(/^[0-9a-f]+$/);
        serials.add(headers["x-client"]);
      }
      requests += answers.length;
    }
    expect(requests).toBeGreaterThan(50);
    expect(Math.max(...(await counted("sds\\.default\\.update_success")))).toBeGreaterThan(rotationsUnderLoad);
    expect(await counted("sds\\..*\\.update_rejected")).not.toContain(1);
  });

  it("shows the certificate of a file-cert name, and its successor once the files are replaced under load", async () => {
    const ca = await testRoot();
    const mount = join(under.directory, "mount");
    mkdirSync(mount);
    const name = `file-cert:${mount}/tls.crt~${mount}/tls.key`;
    for (const file of ["tls.crt", "tls.key"]) symlinkSync(`..data/${file}`, join(mount, file));
    const serialOf = await placed(ca, mount, "1");
    const path = join(under.directory, "in.sock");
    const listener = { path, name: "in", tls: tlsContext("Downstream", secretOverDelta(name)) };
    const bootstrap = {
      node: { id: "delta", cluster: "delta" },
      static_resources: {
        listeners: [httpOver(listener, directResponse({}))],
        clusters: [sdsCluster(under.sdsSocket)],
      },
    };
    running = await startEnvoyProcess({ binary: envoy.path, directory: under.directory, bootstrap });
    let expected = serialOf;
    const seen: bigint[] = [];
    for (let version = 2; version <= rotationsUnderLoad + 2; version += 1) {
      for (let shown = 0n; shown !== expected; ) {
        shown = await serialShown(path, ca);
        if (seen.at(-1) !== shown) seen.push(shown);
      }
      if (version <= rotationsUnderLoad + 1) expected = await placed(ca, mount, String(version));
    }
    // Each certificate in its turn, and none that came back.
    expect(seen).toHaveLength(rotationsUnderLoad + 1);
    expect(seen.at(-1)).toBe(expected);
  });
});

/** From the second certificate on there are two roots in the bundle, and from the third on the new one signs. */
async function spreadNewRoot(ca: FakeCaClient): Promise<void> {
  const next = await testRoot();
  let before: TrustBundle | undefined;
  let issued = 0;
  ca.answerWith(async (request) => {
    issued += 1;
    if (issued > 2) return await request.issue({ ca: next, ...(before && { trustBundle: bothOf(before, next) }) });
    const { chain, trustBundle } = await request.issue();
    before = trustBundle;
    return { chain, trustBundle: issued === 1 ? trustBundle : bothOf(trustBundle, next) };
  });
}

function bothOf(before: TrustBundle, next: TestCa): TrustBundle {
  return parseTrustBundle(before.pem + next.pem);
}

/** Puts a new pair in place as a kubelet does, both files with one rename, and returns the serial. */
async function placed(ca: TestCa, mount: string, version: string): Promise<bigint> {
  const { chain, key } = await testLeaf(ca, { subjectAltNames: [{ kind: "dns", value: "shop.example" }] });
  const data = `..${version}`;
  mkdirSync(join(mount, data));
  writeFileSync(join(mount, data, "tls.crt"), chain.map(certificatePem).join(""));
  writeFileSync(join(mount, data, "tls.key"), privateKeyPem(key, "pkcs8"), { mode: 0o600 });
  symlinkSync(data, join(mount, "..data_tmp"));
  renameSync(join(mount, "..data_tmp"), join(mount, "..data"));
  expect(readlinkSync(join(mount, "..data"))).toBe(data);
  return chain[0].serialNumber;
}
