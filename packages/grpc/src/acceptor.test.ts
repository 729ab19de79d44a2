import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as tcpConnect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { Status } from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { type Issued, opensslAuthority } from "./testing/openssl-authority.ts";
import { callOn, servingCertificate, startTls, type TlsSetup, type TlsStart } from "./testing/tls-setup.ts";

const authority = opensslAuthority("authority");
const stranger = opensslAuthority("stranger");
const names = "DNS:localhost,IP:127.0.0.1";
const first = authority.issue(names);
const second = authority.issue(names);
const spiffeId = "URI:spiffe://cluster.local/ns/demo/sa/frontend";
const workload = authority.issue(spiffeId);
const brokenBlock = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const closers = createClosers();
afterEach(() => closers.closeAll());

function start(initial: Omit<TlsStart, "root">): Promise<TlsSetup> {
  return startTls({ ...initial, root: authority.certificatePem }, closers);
}

describe("new material", () => {
  test("is used for new connections and leaves old ones alone", async () => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    const old = setup.channel();
    await callOn(old);
    setup.serving.publish(servingCertificate(second));
    expect((await setup.handshake()).getPeerX509Certificate()?.serialNumber).toBe(serialOf(second));
    await callOn(old);
    expect(setup.peers[0]?.address).toBe(setup.peers[1]?.address);
  });

  test("client CA: a new connection is judged by the new bundle", async () => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    await setup.call({ clientCertificate: workload });
    setup.clientCa.publish(stranger.certificatePem);
    await setup.call({ clientCertificate: workload });
    await setup.call({ clientCertificate: stranger.issue(spiffeId) });
    expect(setup.peers.map((peer) => peer.certificateChain !== undefined)).toEqual([true, false, true]);
  });

  test("that is no certificate leaves the last good one in use and is reported once", async () => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    setup.serving.publish({ certificateChainPem: "nonsense", privateKeyPem: "nonsense" });
    await setup.handshake();
    await setup.handshake();
    expect(setup.errors).toMatchObject([{ code: "tls-material-invalid" }]);
    setup.serving.publish(servingCertificate(second));
    expect((await setup.handshake()).getPeerX509Certificate()?.serialNumber).toBe(serialOf(second));
  });

  test("a key of another certificate is refused", async () => {
    const setup = await start({ serving: first });
    setup.serving.publish({ ...servingCertificate(second), privateKeyPem: first.privateKeyPem });
    await setup.handshake();
    expect(setup.errors).toMatchObject([{ code: "tls-material-invalid" }]);
  });
});

test("bad material of one kind does not hold back good material of the other", async () => {
  const setup = await start({ serving: first, clientCa: authority.certificatePem });
  setup.serving.publish({ certificateChainPem: "nonsense", privateKeyPem: "nonsense" });
  setup.clientCa.publish(stranger.certificatePem);
  await setup.call({ clientCertificate: workload });
  setup.clientCa.publish("nonsense");
  setup.serving.publish(servingCertificate(second));
  expect((await setup.handshake()).getPeerX509Certificate()?.serialNumber).toBe(serialOf(second));
  await setup.call({ clientCertificate: stranger.issue(spiffeId) });
  expect(setup.peers.map((peer) => peer.certificateChain !== undefined)).toEqual([false, true]);
  expect(setup.errors).toMatchObject([{ code: "tls-material-invalid" }, { code: "tls-material-invalid" }]);
});

test("without a serving certificate connections fail, and succeed as soon as there is one", async () => {
  const setup = await start({});
  await expect(setup.handshake()).rejects.toThrow();
  const channel = setup.channel();
  await expect(callOn(channel)).rejects.toMatchObject({ code: Status.UNAVAILABLE });
  setup.serving.publish(servingCertificate(first));
  await setup.handshake();
  await setup.call();
});

test.each([
  { what: "a key of another certificate", initial: { serving: { ...first, privateKeyPem: second.privateKeyPem } } },
  { what: "a client CA that is no PEM", initial: { serving: first, clientCa: "nonsense" } },
  { what: "a client CA whose certificates are none", initial: { serving: first, clientCa: brokenBlock } },
])("$what stops the start", async ({ initial }) => {
  await expect(start(initial)).rejects.toMatchObject({ code: "tls-material-invalid" });
});

test.each([
  { offer: "TLS 1.2", options: { maxVersion: "TLSv1.2" }, protocol: "TLSv1.2" },
  { offer: "TLS 1.3", options: {}, protocol: "TLSv1.3" },
  { offer: "only P-256", options: { ecdhCurve: "P-256" }, protocol: "TLSv1.3" },
  { offer: "X25519MLKEM768", options: { ecdhCurve: "X25519MLKEM768" }, protocol: "TLSv1.3" },
] as const)("a client that offers $offer is served", async ({ options, protocol }) => {
  const setup = await start({ serving: first });
  expect((await setup.handshake(options)).getProtocol()).toBe(protocol);
});

test.each([
  { offer: "TLS 1.1", options: { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } },
  { offer: "only HTTP/1.1", options: { ALPNProtocols: ["http/1.1"] } },
  { offer: "a suite HTTP/2 forbids", options: { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256" } },
] as const)("a client that offers $offer is refused and reported", async ({ options }) => {
  const setup = await start({ serving: first });
  await expect(
    setup.handshake({ ...options, ALPNProtocols: [...("ALPNProtocols" in options ? options.ALPNProtocols : ["h2"])] }),
  ).rejects.toThrow();
  await expect.poll(() => setup.errors.length).toBe(1);
});

test("a client without ALPN is closed", async () => {
  const setup = await start({ serving: first });
  const socket = tlsConnect({ host: "127.0.0.1", port: setup.port, ca: authority.certificatePem });
  await once(socket.resume(), "close");
});

test("a client that does not finish its handshake is closed", async () => {
  const setup = await start({ serving: first, handshakeTimeoutMs: 50 });
  const socket = tcpConnect(setup.port, "127.0.0.1");
  // The first bytes of a ClientHello that never goes on.
  socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
  await once(socket.resume(), "close");
  expect(setup.errors).toHaveLength(1);
});

test("a probe that connects and leaves is no failure", async () => {
  const setup = await start({ serving: first });
  const socket = tcpConnect(setup.port, "127.0.0.1");
  await once(socket, "connect");
  await once(socket.resume().end(), "close");
  await setup.handshake();
  expect(setup.errors).toEqual([]);
});

function serialOf(issued: Issued): string {
  return new X509Certificate(issued.chainPem).serialNumber;
}
