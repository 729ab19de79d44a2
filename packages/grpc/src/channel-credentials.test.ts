import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { constantSource } from "@signet/runtime";
import { afterEach, describe, expect, test } from "vitest";
import {
  bindService,
  type Channel,
  type ConnectOptions,
  connect,
  plaintextCredentials,
  Status,
  serve,
  tlsServerCredentials,
} from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { opensslAuthority } from "./testing/openssl-authority.ts";
import { never, unhurried } from "./testing/streams.ts";

const { createCertificate } = IstioCertificateService.method;
const authority = opensslAuthority("authority");
const stranger = opensslAuthority("stranger");
const root = authority.certificatePem;
const services = [bindService(IstioCertificateService, { createCertificate: async () => ({ certChain: [] }) })];

const closers = createClosers();
afterEach(() => closers.closeAll());

async function serveTls(subjectAltName: string): Promise<number> {
  const { chainPem, privateKeyPem } = authority.issue(subjectAltName);
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: tlsServerCredentials({
      serving: constantSource({ certificateChainPem: chainPem, privateKeyPem }),
      clientCa: constantSource(root),
    }),
    services,
  });
  closers.add(() => listener.drain(0));
  return "port" in listener.address ? listener.address.port : 0;
}

function channelTo(options: ConnectOptions): Channel {
  const channel = connect(options);
  closers.add(() => channel.close());
  return channel;
}

async function callOn(channel: Channel): Promise<readonly string[]> {
  return (await channel.unary(createCertificate, {}, unhurried)).certChain;
}

test("a channel that is closed leaves no connection to a server that accepts and says nothing", async () => {
  const silent = createServer();
  closers.add(() => silent.close());
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const channel = channelTo({ address: `127.0.0.1:${port}`, tls: { rootCertificatesPem: root } });
  const failed = expect(callOn(channel)).rejects.toMatchObject({ name: "StatusError" });
  const [socket]: Socket[] = await once(silent, "connection");
  channel.close();
  await failed;
  socket?.resume();
  if (socket?.closed === false) await once(socket, "close");
});

describe("verifying the server", () => {
  const ours = { rootCertificatesPem: root };
  test.each([
    { certificate: "DNS:localhost", host: "localhost", tls: ours },
    { certificate: "IP:127.0.0.1", host: "127.0.0.1", tls: ours },
    { certificate: "DNS:ca.example", host: "127.0.0.1", tls: { ...ours, serverName: "ca.example" } },
    { certificate: "IP:192.0.2.1", host: "localhost", tls: { ...ours, serverName: "192.0.2.1" } },
    {
      certificate: "DNS:localhost",
      host: "localhost",
      tls: { rootCertificatesPem: stranger.certificatePem + root },
    },
  ])("a certificate for $certificate is accepted at $host as $tls.serverName", async ({ certificate, host, tls }) => {
    const port = await serveTls(certificate);
    await callOn(channelTo({ address: `${host}:${port}`, tls }));
  });

  test.each([
    { certificate: "DNS:ca.example", host: "localhost", tls: ours },
    { certificate: "DNS:localhost", host: "127.0.0.1", tls: ours },
    { certificate: "IP:127.0.0.1", host: "localhost", tls: ours },
    { certificate: "DNS:localhost", host: "localhost", tls: { ...ours, serverName: "ca.example" } },
    { certificate: "DNS:127.0.0.1", host: "127.0.0.1", tls: ours },
    { certificate: "DNS:localhost", host: "localhost", tls: { rootCertificatesPem: stranger.certificatePem } },
  ])("a certificate for $certificate is refused at $host as $tls.serverName", async ({ certificate, host, tls }) => {
    const port = await serveTls(certificate);
    const call = callOn(channelTo({ address: `${host}:${port}`, tls }));
    await expect(call).rejects.toMatchObject({ code: Status.UNAVAILABLE });
  });

  test("plaintext to TLS and TLS to plaintext fail", async () => {
    const tlsPort = await serveTls("DNS:localhost");
    await expect(callOn(channelTo({ address: `localhost:${tlsPort}` }))).rejects.toMatchObject({
      code: Status.UNAVAILABLE,
    });
    const plain = await serve({
      listen: { host: "127.0.0.1", port: 0 },
      credentials: plaintextCredentials(),
      services,
    });
    closers.add(() => plain.drain(0));
    const plainPort = "port" in plain.address ? plain.address.port : 0;
    const call = channelTo({ address: `127.0.0.1:${plainPort}`, tls: ours }).unary(
      createCertificate,
      {},
      {
        deadlineMs: 1_000,
        signal: never,
      },
    );
    await expect(call).rejects.toMatchObject({
      code: expect.toBeOneOf([Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED]),
    });
  });

  const issued = authority.issue("DNS:client");
  test.each([
    { what: "roots without a certificate", tls: { rootCertificatesPem: "" } },
    {
      what: "a key of another certificate",
      tls: {
        ...ours,
        clientCertificate: { ...issued, privateKeyPem: stranger.issue("DNS:client").privateKeyPem },
      },
    },
  ])("$what cannot be connected with", ({ tls }) => {
    expect(() => connect({ address: "localhost:1", tls })).toThrow(
      expect.objectContaining({ code: "tls-material-invalid" }),
    );
  });
});
