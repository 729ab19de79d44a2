import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { bindService, type GrpcListener, plaintextCredentials, type ServiceBinding, Status, serve } from "@signet/grpc";
import { SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import {
  Authorization,
  type CheckRequest,
  CheckResponseSchema,
} from "@signet/protos/envoy/service/auth/v3/external_auth";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { createSource, type Publisher } from "@signet/runtime";
import { certificatePem, privateKeyPem, type X509Svid } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serveBackendWorkload } from "./backend-workload.ts";
import { openHttpConnection } from "./http-connection.ts";
import { knock } from "./knock.ts";
import { startBackendNode, startFrontendNode } from "./node-sidecar.ts";
import { createSightings, type Sightings } from "./sightings.ts";
import { sendTraffic, type TrafficTotals } from "./traffic.ts";

const frontendId = "spiffe://cluster.local/ns/demo/sa/frontend";
const backendId = "spiffe://cluster.local/ns/demo/sa/backend";

let stack: AsyncDisposableStack;
let directory = "";
beforeEach(() => {
  stack = new AsyncDisposableStack();
  directory = mkdtempSync(join(tmpdir(), "signet-node-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
});
afterEach(() => stack.disposeAsync());

const signal = AbortSignal.timeout(20_000);

describe("traffic through the Node sidecars", () => {
  test("sees rotations on new connections only, and loses nothing", async () => {
    const root = await testRoot();
    const mesh = await startPair(root);
    const sightings = createSightings(() => undefined);
    setTimeout(() => void mesh.rotate(root), 500);
    const totals = await trafficFor(1_500, mesh.address, sightings);
    expect(totals).toMatchObject({ failures: 0, connectionsLost: 0, reasons: [] });
    expect(totals.requests).toBeGreaterThanOrEqual(40);
    expect([sightings.rotations("frontend"), sightings.rotations("backend")]).toEqual([1, 1]);
    expect([...sightings.of("frontend").spiffeIds]).toEqual([frontendId]);
    expect([...sightings.of("backend").spiffeIds]).toEqual([backendId]);
    expect(await mesh.endedByBackend()).toBe(0);
  });

  test("counts failures and lost connections when the backend goes away", async () => {
    const mesh = await startPair(await testRoot());
    setTimeout(() => void mesh.stopBackend(), 300);
    const totals = await trafficFor(
      800,
      mesh.address,
      createSightings(() => undefined),
    );
    expect(totals.failures).toBeGreaterThan(0);
    expect(totals.connectionsLost + (await mesh.endedByBackend())).toBeGreaterThan(0);
  });
});

describe("the backend's Node sidecar", () => {
  test("refuses each stranger for its own reason and lets the frontend in", async () => {
    const root = await testRoot();
    const { inbound } = await startPair(root);
    const credentialsOf = async (ca: TestCa, spiffeId: string): Promise<Parameters<typeof knock>[1]> => {
      const svid = await testLeaf(ca, { spiffeId });
      return { certificateChainPem: chainPem(svid), privateKeyPem: privateKeyPem(svid.key, "pkcs8") };
    };
    const stranger = "spiffe://stranger.example/ns/demo/sa/frontend";
    expect(await knock(inbound.address, undefined)).toMatchObject({ kind: "refused" });
    expect(await inbound.refusals(signal)).toEqual({ noCertificate: 1, untrustedChain: 0, wrongName: 0 });
    const foreign = await credentialsOf(await testRoot({ trustDomain: "stranger.example" }), stranger);
    expect(await knock(inbound.address, foreign)).toMatchObject({ kind: "refused" });
    expect(await inbound.refusals(signal)).toEqual({ noCertificate: 1, untrustedChain: 1, wrongName: 0 });
    expect(await knock(inbound.address, await credentialsOf(root, stranger))).toMatchObject({ kind: "refused" });
    expect(await inbound.refusals(signal)).toEqual({ noCertificate: 1, untrustedChain: 1, wrongName: 1 });
    expect(await knock(inbound.address, await credentialsOf(root, frontendId))).toEqual({
      kind: "answered",
      status: 200,
    });
  });

  test("asks about each request, answers what it is told, and refuses where nobody is there", async () => {
    const pair = await startPair(await testRoot());
    const connection = openHttpConnection(pair.address);
    stack.defer(() => connection.close());
    expect(await connection.get("/a?b")).toMatchObject({ status: 200 });
    const { source, request } = pair.policies.asked[0]?.attributes ?? {};
    expect(source?.principal).toBe(frontendId);
    expect(request?.http).toMatchObject({ method: "GET", path: "/a?b", host: expect.stringContaining("127.0.0.1:") });
    pair.policies.refuse = true;
    expect(await connection.get("/")).toMatchObject({ status: 429, body: "not today" });
    pair.policies.refuse = false;
    expect(await connection.get("/")).toMatchObject({ status: 200 });
    await pair.policies.stop();
    expect(await connection.get("/")).toMatchObject({ status: 403, body: "" });
  });

  test("a knock at a closed port proves nothing", async () => {
    expect(await knock({ host: "127.0.0.1", port: 1 }, undefined)).toMatchObject({ kind: "unreachable" });
  });
});

type Pair = {
  readonly address: Parameters<typeof sendTraffic>[0]["outbound"];
  readonly inbound: Awaited<ReturnType<typeof startBackendNode>>;
  readonly policies: FakePolicies;
  rotate(root: TestCa): Promise<void>;
  stopBackend(): Promise<void>;
  endedByBackend(): Promise<number>;
};

async function startPair(root: TestCa): Promise<Pair> {
  const frontend = await serveSecrets("frontend", await testLeaf(root, { spiffeId: frontendId }), root);
  const backend = await serveSecrets("backend", await testLeaf(root, { spiffeId: backendId }), root);
  const workload = await serveBackendWorkload();
  stack.defer(() => workload.close());
  const policies = await servePolicies();
  const behind = { workload: workload.address, authzSocket: policies.path };
  const inbound = await startBackendNode({ sdsSocket: backend.path, ...behind }, signal);
  stack.defer(() => inbound.stop());
  const outbound = await startFrontendNode({ sdsSocket: frontend.path, backend: inbound.address }, signal);
  stack.defer(() => outbound.stop());
  return {
    address: outbound.address,
    ...{ inbound, policies },
    async rotate(by) {
      frontend.secrets.publish(await testLeaf(by, { spiffeId: frontendId }));
      backend.secrets.publish(await testLeaf(by, { spiffeId: backendId }));
    },
    stopBackend: () => inbound.stop(),
    endedByBackend: () => outbound.connectionsEndedByBackend(signal),
  };
}

function trafficFor(ms: number, outbound: Pair["address"], sightings: Sightings): Promise<TrafficTotals> {
  const until = performance.now() + ms;
  return sendTraffic({ outbound, done: () => performance.now() > until, onSighting: sightings.add }, signal);
}

type FakePolicies = {
  readonly path: string;
  readonly asked: readonly CheckRequest[];
  /** With 429. */
  refuse: boolean;
  stop(): Promise<void>;
};

type CheckResponseInit = MessageInitShape<typeof CheckResponseSchema>;

async function servePolicies(): Promise<FakePolicies> {
  const asked: CheckRequest[] = [];
  const path = join(directory, "authz.sock");
  const allowed: CheckResponseInit = { status: { code: Status.OK } };
  const refused: CheckResponseInit = {
    status: { code: Status.PERMISSION_DENIED },
    httpResponse: { case: "deniedResponse", value: { status: { code: 429 }, body: "not today" } },
  };
  const service = bindService(Authorization, {
    async check(request) {
      asked.push(request);
      return create(CheckResponseSchema, policies.refuse ? refused : allowed);
    },
  });
  const listener = await serveOn(path, service);
  const policies: FakePolicies = { path, asked, refuse: false, stop: () => listener.drain(0) };
  return policies;
}

async function serveOn(socketPath: string, service: ServiceBinding): Promise<GrpcListener> {
  const listen = { socketPath, mode: 0o600 };
  const listener = await serve({ listen, credentials: plaintextCredentials(), services: [service] });
  stack.defer(() => listener.drain(0));
  return listener;
}

async function serveSecrets(
  name: string,
  first: X509Svid,
  root: TestCa,
): Promise<{ readonly path: string; readonly secrets: Publisher<X509Svid> }> {
  const secrets = createSource(first);
  const path = join(directory, `${name}.sock`);
  const service = bindService(SecretDiscoveryService, {
    async *streamSecrets(_requests, context) {
      for await (const svid of secrets.changes(context.signal)) {
        yield {
          versionInfo: "1",
          nonce: "1",
          resources: secretsOf(svid, root).map((one) => anyPack(SecretSchema, one)),
        };
      }
    },
  });
  await serveOn(path, service);
  return { path, secrets };
}

function secretsOf(svid: X509Svid, root: TestCa): ReturnType<typeof create<typeof SecretSchema>>[] {
  const inline = (text: string) => ({ specifier: { case: "inlineString" as const, value: text } });
  const pair = { certificateChain: inline(chainPem(svid)), privateKey: inline(privateKeyPem(svid.key, "pkcs8")) };
  return [
    create(SecretSchema, { name: "default", type: { case: "tlsCertificate", value: pair } }),
    create(SecretSchema, {
      name: "ROOTCA",
      type: { case: "validationContext", value: { trustedCa: inline(root.pem) } },
    }),
  ];
}

function chainPem(svid: X509Svid): string {
  return svid.chain.map(certificatePem).join("");
}
