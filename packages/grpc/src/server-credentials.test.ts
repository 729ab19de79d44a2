import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { createClosers } from "./testing/closers.ts";
import { type Issued, opensslAuthority } from "./testing/openssl-authority.ts";
import { startTls, type TlsSetup, type TlsStart } from "./testing/tls-setup.ts";

const authority = opensslAuthority("authority");
const stranger = opensslAuthority("stranger");
const first = authority.issue("DNS:localhost,IP:127.0.0.1");
const spiffeId = "URI:spiffe://cluster.local/ns/demo/sa/frontend";
const workload = authority.issue(spiffeId);
const brokenBlock = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const closers = createClosers();
afterEach(() => closers.closeAll());

function start(initial: Omit<TlsStart, "root">): Promise<TlsSetup> {
  return startTls({ ...initial, root: authority.certificatePem }, closers);
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
    await setup.call({ clientCertificate: issued });
    expect(setup.peers).toHaveLength(1);
    expect(setup.peers[0]?.transport).toBe("tls");
    expect(setup.peers[0]?.certificateChain?.map(pemOf).join("")).toBe(sent);
  });

  test.each([
    { certificate: "none", issued: undefined },
    { certificate: "expired", issued: authority.issue(spiffeId, { expired: true }), problem: "CERT_HAS_EXPIRED" },
    { certificate: "foreign", issued: stranger.issue(spiffeId), problem: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" },
    {
      certificate: "for servers only",
      issued: authority.issue(spiffeId, { extendedKeyUsage: "serverAuth" }),
      problem: "INVALID_PURPOSE",
    },
    {
      certificate: "without its intermediate",
      issued: { ...viaIssuing, chainPem: firstBlock(viaIssuing.chainPem) },
      problem: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    },
  ])("$certificate: the call is served and the peer has no certificate but $problem", async ({ issued, problem }) => {
    const setup = await start({ serving: first, clientCa: authority.certificatePem });
    await setup.call(issued === undefined ? {} : { clientCertificate: issued });
    const peer = { address: expect.stringMatching(/^127\.0\.0\.1:\d+$/), transport: "tls" };
    expect(setup.peers).toEqual([problem === undefined ? peer : { ...peer, certificateProblem: problem }]);
    expect(setup.errors).toEqual([]);
  });

  test("is checked against every authority of the bundle, also after one that cannot be read", async () => {
    const clientCa = `# ours\n${brokenBlock}${stranger.certificatePem}${authority.certificatePem}`;
    const setup = await start({ serving: first, clientCa });
    await setup.call({ clientCertificate: workload });
    expect(setup.peers[0]).toHaveProperty("certificateChain");
  });

  test("counts as none while there is no client CA, though public authorities exist", async () => {
    const setup = await start({ serving: first });
    await setup.call({ clientCertificate: workload });
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
      const socket = await setup.handshake(options);
      const session = await sessionOf(socket);
      const again = await setup.handshake({ ...options, session });
      expect({ version, reused: again.isSessionReused() }).toEqual({ version, reused: false });
    }
  });
});

function sessionOf(socket: TLSSocket): Promise<Buffer | undefined> {
  if (socket.getProtocol() === "TLSv1.2") return Promise.resolve(socket.getSession());
  return new Promise((resolve) => socket.once("session", resolve));
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
