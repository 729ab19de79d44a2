import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, Status } from "@signet/grpc";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
import { ServerReflection } from "@signet/protos/grpc/reflection/v1/reflection";
import { formatHostPort } from "@signet/runtime";
import { parseSpiffeId } from "@signet/spiffe";
import { certificatePem, createCsr, generateKeyPair, parseCertificates, privateKeyPem } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import {
  createCertificate,
  issue,
  startOidcIssuer,
  startTestCaServer,
  type TestCaServer,
} from "./ca-server-fixture.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const key = await generateKeyPair("P-256");
const csr = createCsr({ key, spiffeId });
const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<TestCaServer> {
  const ca = await startTestCaServer(env);
  opened.push(ca);
  return ca;
}

describe("the CA server", () => {
  it("gives a workload its certificate for a token", async () => {
    const ca = await start();
    const [leaf = "", root, ...rest] = await issue(ca.connect(), ca.issuer.sign(), csr);
    expect(rest).toEqual([]);
    expect(root).toBe(ca.rootPem);
    expect(parseCertificates(leaf)[0]?.subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
    expect(await readFile(join(ca.directory, "state", "root-cert.pem"), "utf8")).toBe(ca.rootPem);
  });

  it("is known by the usual istiod names", async () => {
    const ca = await start();
    const names = [
      "istiod.istio-system.svc",
      "istiod-remote.istio-system.svc",
      "istio-pilot.istio-system.svc",
      "localhost",
    ];
    for (const serverName of names) {
      const address = formatHostPort(ca.server.addresses.ca);
      const channel = connect({ address, tls: { rootCertificatesPem: ca.rootPem, serverName } });
      expect(await issue(channel, ca.issuer.sign(), csr)).toHaveLength(2);
      channel.close();
    }
  });

  it("answers probes, scrapes and the question for its version", async () => {
    const ca = await start();
    await createCertificate(ca.connect(), { csr: "hello", token: ca.issuer.sign() });
    const get = async (address: { host: string; port: number }, path: string) => {
      const response = await fetch(`http://${formatHostPort(address)}${path}`);
      return { status: response.status, text: await response.text() };
    };
    expect(await get(ca.server.addresses.ready, "/ready")).toEqual({
      status: 200,
      text: '{"ready":true,"problems":[]}\n',
    });
    expect((await get(ca.server.addresses.monitoring, "/version")).text).toBe("0.0.0-test-unknown-Clean");
    const { text } = await get(ca.server.addresses.monitoring, "/metrics");
    expect(text).toContain("\ncitadel_server_csr_count 1\n");
    expect(text).toContain('\ncitadel_server_csr_sign_err_count{error="CSR_ERROR"} 1\n');
    expect(text).toContain('grpc_method="CreateCertificate",grpc_code="InvalidArgument"} 1\n');
    expect(text).toContain("process_cpu_seconds_total");
    expect((await get(ca.server.addresses.ready, "/metrics")).status).toBe(404);
  });

  it("serves health and reflection beside the CA RPC", async () => {
    const ca = await start();
    const channel = ca.connect();
    await expect
      .poll(async () => {
        const options = { deadlineMs: 5_000, signal: AbortSignal.timeout(5_000) };
        const services = ["", "istio.v1.auth.IstioCertificateService"];
        return await Promise.all(
          services.map(async (service) => (await channel.unary(Health.method.check, { service }, options)).status),
        );
      })
      .toEqual([Serving.SERVING, Serving.SERVING]);
    async function* question() {
      yield { messageRequest: { case: "listServices", value: "" } } as const;
    }
    const options = { signal: AbortSignal.timeout(5_000) };
    for await (const { messageResponse } of channel.stream(
      ServerReflection.method.serverReflectionInfo,
      question(),
      options,
    )) {
      const listed = messageResponse.case === "listServicesResponse" ? messageResponse.value.service : [];
      expect(listed.map(({ name }) => name)).toContain("istio.v1.auth.IstioCertificateService");
    }
  });

  it("renews by the certificate a workload has, under its name alone", async () => {
    const ca = await start();
    const [leaf = ""] = await issue(ca.connect(), ca.issuer.sign(), csr);
    const channel = ca.connect({ chainPem: leaf, privateKeyPem: privateKeyPem(key, "pkcs8") });
    const other = createCsr({ key, spiffeId: parseSpiffeId("spiffe://cluster.local/ns/demo/sa/backend") });
    const [renewed = ""] = await issue(channel, undefined, other);
    expect(parseCertificates(renewed)[0]?.subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
    expect(ca.logger.lines.at(-1)?.fields).toMatchObject({ authenticator: "client-certificate", spiffeId });
  });

  it("takes a certificate that it did not issue for none, and the token beside it for what it is", async () => {
    const ca = await start();
    const stranger = await testLeaf(await testRoot());
    const channel = ca.connect({
      chainPem: stranger.chain.map((certificate) => certificatePem(certificate)).join(""),
      privateKeyPem: privateKeyPem(stranger.key, "pkcs8"),
    });
    expect(await createCertificate(channel, { csr })).toMatchObject({ code: Status.UNAUTHENTICATED });
    expect(await issue(channel, ca.issuer.sign(), csr)).toHaveLength(2);
  });

  it("asks the client to come back while an issuer's keys are away, and serves the other issuer's", async () => {
    const [here, away] = [await startOidcIssuer(), await startOidcIssuer()];
    opened.push(here);
    await away.close();
    const rules = [here, away].map(({ issuer }) => ({ issuer, audiences: ["istio-ca"] }));
    const ca = await start({ JWT_RULE: JSON.stringify(rules) });
    const channel = ca.connect();
    expect(await createCertificate(channel, { csr, token: away.sign() })).toEqual({
      kind: "refused",
      code: Status.UNAVAILABLE,
      message: "request authentication is not available now",
    });
    expect(await issue(channel, here.sign(), csr)).toHaveLength(2);
    const news = ca.logger.lines.filter(({ message }) => message.startsWith("token issuer keys"));
    expect(news).toContainEqual(
      expect.objectContaining({
        message: "token issuer keys fetched",
        fields: expect.objectContaining({ issuer: here.issuer }),
      }),
    );
    expect(news).toContainEqual(
      expect.objectContaining({
        message: "token issuer keys unavailable",
        fields: expect.objectContaining({ issuer: away.issuer }),
      }),
    );
    expect(await issue(channel, ca.issuer.sign(), csr)).toHaveLength(2);
    expect(await ca.server.ready()).toBe(true);
  });

  it("does not start on a port that is taken, and leaves its state unlocked", async () => {
    const ca = await start();
    const state = join(ca.directory, "other-state");
    const taken = { SIGNET_CA_LISTEN: formatHostPort(ca.server.addresses.ca), SIGNET_STATE_DIR: state };
    await expect(startTestCaServer(taken)).rejects.toMatchObject({ code: "address-in-use" });
    await start({ SIGNET_STATE_DIR: state });
  });

  it("drains: calls under way end, new ones are refused, then everything is closed", async () => {
    const ca = await start();
    const channel = ca.connect();
    const under = Array.from({ length: 20 }, () => createCertificate(channel, { csr, token: ca.issuer.sign() }));
    await Promise.race(under);
    await ca.server.stop();
    await ca.server.ended;
    for (const answer of await Promise.all(under)) {
      if (answer.kind === "refused") expect(answer.code).toBe(Status.UNAVAILABLE);
    }
    await expect(fetch(`http://${formatHostPort(ca.server.addresses.ready)}/ready`)).rejects.toThrow();
    const messages = ca.logger.lines.map(({ message }) => message);
    expect(messages.slice(messages.indexOf("ca server draining"))).toEqual(["ca server draining", "ca server stopped"]);
  });
});
