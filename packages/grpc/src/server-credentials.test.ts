import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as tcpConnect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { createSource, type Publisher } from "@signet/runtime";
import { afterEach, describe, expect, test } from "vitest";
import {
  bindService,
  type Channel,
  type ClientTls,
  connect,
  type GrpcListener,
  type Peer,
  type ServingCertificate,
  Status,
  serve,
  tlsServerCredentials,
} from "./index.ts";
import { type Issued, opensslAuthority } from "./testing/openssl-authority.ts";

const authority = opensslAuthority("authority");
const stranger = opensslAuthority("stranger");
const names = "DNS:ca.example,DNS:localhost,IP:127.0.0.1";
const first = authority.issue(names);
const second = authority.issue(names);
const spiffeId = "URI:spiffe://cluster.local/ns/demo/sa/frontend";
const workload = authority.issue(spiffeId);

const brokenBlock = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

type Setup = {
  readonly serving: Publisher<ServingCertificate>;
  readonly clientCa: Publisher<string>;
  readonly errors: unknown[];
  readonly port: number;
  readonly listener: GrpcListener;
  /** Peers of the calls so far. */
  readonly peers: Peer[];
};

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(initial: { serving?: Issued; clientCa?: string; handshakeTimeoutMs?: number }): Promise<Setup> {
  const serving = createSource<ServingCertificate>(initial.serving && servingCertificate(initial.serving));
  const clientCa = createSource<string>(initial.clientCa);
  const errors: unknown[] = [];
  const peers: Peer[] = [];
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: tlsServerCredentials({ serving, clientCa }),
    services: [
      bindService(IstioCertificateService, {
        async createCertificate(_request, { peer }) {
          peers.push(peer);
          return {};
        },
      }),
    ],
    onConnectionError: (error) => errors.push(error),
    ...(initial.handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs: initial.handshakeTimeoutMs }),
  });
  closers.push(() => listener.drain(0));
  const port = "port" in listener.address ? listener.address.port : 0;
  return { serving, clientCa, errors, port, listener, peers };
}

function servingCertificate({ chainPem, privateKeyPem }: Issued): ServingCertificate {
  return { certificateChainPem: chainPem, privateKeyPem };
}

function channelTo(setup: Setup, tls: Partial<ClientTls> = {}, host = "127.0.0.1"): Channel {
  const address = `${host}:${setup.port}`;
  const channel = connect({ address, tls: { rootCertificatesPem: authority.certificatePem, ...tls } });
  closers.push(() => channel.close());
  return channel;
}

function call(channel: Channel): Promise<unknown> {
  const options = { deadlineMs: 10_000, signal: new AbortController().signal };
  return channel.unary(IstioCertificateService.method.createCertificate, {}, options);
}

function handshake(setup: Setup, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      ca: authority.certificatePem,
      ALPNProtocols: ["h2"],
      ...options,
      host: "127.0.0.1",
      port: setup.port,
    });
    closers.push(() => socket.destroy());
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

describe("the client's certificate", () => {
  const issuing = authority.intermediate("issuing");
  const viaIssuing = issuing.issue(spiffeId);
  const root = authority.certificatePem;

  test.each([
    // The client's OpenSSL adds the issuer it knows to a leaf that comes alone.
    { chain: "issued by the authority", issued: workload, sent: workload.chainPem + root },
    { chain: "with an intermediate", issued: viaIssuing, sent: viaIssuing.chainPem },
    { chain: "with its root", issued: withChain(viaIssuing, root), sent: viaIssuing.chainPem + root },
  ])("$chain is given to handlers as DER, leaf first", async ({ issued, sent }) => {
    const setup = await start({ serving: first, clientCa: root });
    await call(channelTo(setup, { clientCertificate: issued }));
    expect(setup.peers).toHaveLength(1);
    expect(setup.peers[0]?.transport).toBe("tls");
    expect(setup.peers[0]?.certificateChain?.map(pemOf).join("")).toBe(sent);
  });

  test.each([
    { certificate: "none", issued: undefined },
    { certificate: "expired", issued: authority.issue(spiffeId, { expired: true }) },
    { certificate: "foreign", issued: stranger.issue(spiffeId) },
    { certificate: "for servers only", issued: authority.issue(spiffeId, { extendedKeyUsage: "serverAuth" }) },
    { certificate: "without its intermediate", issued: { ...viaIssuing, chainPem: firstBlock(viaIssuing.chainPem) } },
  ])("$certificate: the call is served and the peer has no certificate", async ({ issued }) => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    await call(channelTo(setup, issued === undefined ? {} : { clientCertificate: issued }));
    expect(setup.peers).toEqual([{ address: expect.stringMatching(/^127\.0\.0\.1:\d+$/), transport: "tls" }]);
    expect(setup.errors).toEqual([]);
  });

  test("is checked against every authority of the bundle, also after one that cannot be read", async () => {
    const clientCa = `# ours\n${brokenBlock}${stranger.certificatePem}${authority.certificatePem}`;
    const setup = await start({ serving: first, clientCa });
    await call(channelTo(setup, { clientCertificate: workload }));
    expect(setup.peers[0]).toHaveProperty("certificateChain");
  });

  test("counts as none while there is no client CA, though public authorities exist", async () => {
    const setup = await start({ serving: first });
    await call(channelTo(setup, { clientCertificate: workload }));
    expect(setup.peers[0]).not.toHaveProperty("certificateChain");
  });

  test("is not accepted again by session resumption", async () => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const options = {
        cert: workload.chainPem,
        key: workload.privateKeyPem,
        minVersion: version,
        maxVersion: version,
      };
      const socket = await handshake(setup, options);
      const session = await sessionOf(socket);
      const again = await handshake(setup, { ...options, session });
      expect({ version, reused: again.isSessionReused() }).toEqual({ version, reused: false });
    }
  });
});

describe("new material", () => {
  test("is used for new connections and leaves old ones alone", async () => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    const old = channelTo(setup);
    await call(old);
    setup.serving.publish(servingCertificate(second));
    expect((await handshake(setup)).getPeerX509Certificate()?.serialNumber).toBe(serialOf(second));
    await call(old);
    expect(setup.peers[0]?.address).toBe(setup.peers[1]?.address);
  });

  test("client CA: a new connection is judged by the new bundle", async () => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    await call(channelTo(setup, { clientCertificate: workload }));
    setup.clientCa.publish(stranger.certificatePem);
    await call(channelTo(setup, { clientCertificate: workload }));
    await call(channelTo(setup, { clientCertificate: stranger.issue(spiffeId) }));
    expect(setup.peers.map((peer) => peer.certificateChain !== undefined)).toEqual([true, false, true]);
  });

  test("that is no certificate leaves the last good one in use and is reported once", async () => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    setup.serving.publish({ certificateChainPem: "nonsense", privateKeyPem: "nonsense" });
    await handshake(setup);
    await handshake(setup);
    expect(setup.errors).toMatchObject([{ code: "tls-material-invalid" }]);
    setup.serving.publish(servingCertificate(second));
    expect((await handshake(setup)).getPeerX509Certificate()?.serialNumber).toBe(serialOf(second));
  });

  test("a key of another certificate is refused", async () => {
    const setup = await start({ serving: first });
    setup.serving.publish({ ...servingCertificate(second), privateKeyPem: first.privateKeyPem });
    await handshake(setup);
    expect(setup.errors).toMatchObject([{ code: "tls-material-invalid" }]);
  });
});

test("bad material of one kind does not hold back good material of the other", async () => {
  const setup = await start({ serving: first, clientCa: authority.certificatePem });
  setup.serving.publish({ certificateChainPem: "nonsense", privateKeyPem: "nonsense" });
  setup.clientCa.publish(stranger.certificatePem);
  await call(channelTo(setup, { clientCertificate: workload }));
  setup.clientCa.publish("nonsense");
  setup.serving.publish(servingCertificate(second));
  expect((await handshake(setup)).getPeerX509Certificate()?.serialNumber).toBe(serialOf(second));
  await call(channelTo(setup, { clientCertificate: stranger.issue(spiffeId) }));
  expect(setup.peers.map((peer) => peer.certificateChain !== undefined)).toEqual([false, true]);
  expect(setup.errors).toMatchObject([{ code: "tls-material-invalid" }, { code: "tls-material-invalid" }]);
});

test("without a serving certificate connections fail, and succeed as soon as there is one", async () => {
  const setup = await start({});
  await expect(handshake(setup)).rejects.toThrow();
  const channel = channelTo(setup, {});
  await expect(call(channel)).rejects.toMatchObject({ code: Status.UNAVAILABLE });
  setup.serving.publish(servingCertificate(first));
  await handshake(setup);
  await call(channelTo(setup));
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
  expect((await handshake(setup, options)).getProtocol()).toBe(protocol);
});

test.each([
  { offer: "TLS 1.1", options: { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } },
  { offer: "only HTTP/1.1", options: { ALPNProtocols: ["http/1.1"] } },
  { offer: "a suite HTTP/2 forbids", options: { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256" } },
] as const)("a client that offers $offer is refused and reported", async ({ options }) => {
  const setup = await start({ serving: first });
  await expect(
    handshake(setup, { ...options, ALPNProtocols: [...("ALPNProtocols" in options ? options.ALPNProtocols : ["h2"])] }),
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
  await handshake(setup);
  expect(setup.errors).toEqual([]);
});

function sessionOf(socket: TLSSocket): Promise<Buffer | undefined> {
  if (socket.getProtocol() === "TLSv1.2") return Promise.resolve(socket.getSession());
  return new Promise((resolve) => socket.once("session", resolve));
}

function serialOf(issued: Issued): string {
  return new X509Certificate(issued.chainPem).serialNumber;
}

function pemOf(der: Uint8Array): string {
  return new X509Certificate(der).toString();
}

function withChain(issued: Issued, morePem: string): Issued {
  return { ...issued, chainPem: issued.chainPem + morePem };
}

function firstBlock(pem: string): string {
  const end = "-----END CERTIFICATE-----\n";
  return pem.slice(0, pem.indexOf(end) + end.length);
}
