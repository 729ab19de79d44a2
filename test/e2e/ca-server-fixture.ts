import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CaServer, parseCaServerSettings, startCaServer } from "@signet/ca-server";
import { type Channel, connect, type Status, StatusError } from "@signet/grpc";
import { type TestIssuer, testIssuer } from "@signet/jwt/testing";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { formatHostPort, type HttpServer, serveHttp, systemClock } from "@signet/runtime";
import { type FakeLogger, fakeLogger } from "@signet/runtime/testing";

/** An OIDC issuer that real HTTP clients can ask for its keys. */
export type OidcIssuer = TestIssuer & { close(): Promise<void> };

/** Starts an issuer on a free port of this machine, with discovery and JWKS. */
export async function startOidcIssuer(): Promise<OidcIssuer> {
  let issuer: TestIssuer | undefined;
  const json = (body: string) => ({ status: 200, body, contentType: "application/json" });
  const server: HttpServer = await serveHttp({
    host: "127.0.0.1",
    port: 0,
    logger: fakeLogger(),
    routes: {
      "/.well-known/openid-configuration": async () =>
        json(JSON.stringify({ issuer: issuer?.issuer, jwks_uri: `${issuer?.issuer}/jwks` })),
      "/jwks": async () => json(issuer?.jwks ?? "{}"),
    },
  });
  issuer = testIssuer({ issuer: `http://${formatHostPort(server.address)}`, alg: "RS256" });
  return { ...issuer, close: () => server.close() };
}

/** A CA server in this process on free ports, with its issuer and a directory of its own. */
export type TestCaServer = {
  readonly server: CaServer;
  readonly issuer: OidcIssuer;
  readonly logger: FakeLogger;
  readonly directory: string;
  readonly rootPem: string;
  /** A channel to the CA RPC, closed with the server. */
  connect(clientCertificate?: { readonly chainPem: string; readonly privateKeyPem: string }): Channel;
  close(): Promise<void>;
};

/** Starts a CA server that trusts a fresh issuer; `env` is laid over settings that suit a test. */
export async function startTestCaServer(env: Readonly<Record<string, string>> = {}): Promise<TestCaServer> {
  const directory = await mkdtemp(join(tmpdir(), "signet-ca-"));
  const issuer = await startOidcIssuer();
  const logger = fakeLogger();
  const parsed = parseCaServerSettings({ env: { ...testEnv(directory, issuer.issuer), ...env }, args: [] });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  const dependencies = { clock: systemClock, random: Math.random, randomBytes, logger, version: "0.0.0-test" };
  async function cleanUp(): Promise<void> {
    await issuer.close();
    await rm(directory, { recursive: true, force: true });
  }
  const server = await startCaServer(parsed.settings, dependencies).catch(async (error: unknown) => {
    await cleanUp();
    throw error;
  });
  const rootPem = server.trustBundle.current()?.pem ?? "";
  const channels: Channel[] = [];
  return {
    ...{ server, issuer, logger, directory, rootPem },
    connect(clientCertificate) {
      const tls = { rootCertificatesPem: rootPem, ...(clientCertificate !== undefined && { clientCertificate }) };
      const channel = connect({ address: formatHostPort(server.addresses.ca), tls });
      channels.push(channel);
      return channel;
    },
    async close() {
      for (const channel of channels) channel.close();
      await server.stop();
      await cleanUp();
    },
  };
}

/** Settings of a CA server that keeps to `directory`, to this machine and to free ports. */
export function testEnv(directory: string, issuer: string): Record<string, string> {
  return {
    SIGNET_CA_LISTEN: "127.0.0.1:0",
    SIGNET_MONITORING_LISTEN: "127.0.0.1:0",
    SIGNET_HTTP_LISTEN: "127.0.0.1:0",
    SIGNET_SERVING_NAMES: "localhost,127.0.0.1",
    SIGNET_SELF_SIGNED_CA_KEY: "p256",
    SIGNET_STATE_DIR: join(directory, "state"),
    ROOT_CA_DIR: join(directory, "cacerts"),
    TOKEN_ISSUER: issuer,
  };
}

/** One call of the CA RPC. */
export type CertificateCall = {
  readonly csr: string;
  readonly token?: string | undefined;
  readonly validityDuration?: bigint;
  /** Of the request. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Of the call, beside the token. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** What came of it. */
export type CertificateAnswer =
  | { readonly kind: "issued"; readonly chain: readonly string[] }
  | { readonly kind: "refused"; readonly code: Status; readonly message: string };

/** Calls CreateCertificate. */
export async function createCertificate(
  channel: Channel,
  call: CertificateCall,
  deadlineMs = 10_000,
): Promise<CertificateAnswer> {
  try {
    const response = await channel.unary(
      IstioCertificateService.method.createCertificate,
      {
        csr: call.csr,
        validityDuration: call.validityDuration ?? 0n,
        ...(call.metadata !== undefined && { metadata: { ...call.metadata } }),
      },
      {
        deadlineMs,
        signal: AbortSignal.timeout(2 * deadlineMs),
        metadata: { ...call.headers, ...(call.token !== undefined && { authorization: `Bearer ${call.token}` }) },
      },
    );
    return { kind: "issued", chain: response.certChain };
  } catch (error) {
    if (error instanceof StatusError) return { kind: "refused", code: error.code, message: error.message };
    throw error;
  }
}

/** The certificates issued for a token or, without one, for the channel's own certificate. */
export async function issue(channel: Channel, token: string | undefined, csr: string): Promise<readonly string[]> {
  const answer = await createCertificate(channel, { csr, token });
  if (answer.kind === "refused") throw new Error(`refused: ${answer.message}`);
  return answer.chain;
}
