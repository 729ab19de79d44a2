import { getCACertificates } from "node:tls";
import { type Channel, connect, Status, StatusError } from "@signet/grpc";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { errorMessage, formatHostPort, readFileCapped } from "@signet/runtime";
import { parseCertificates, parseTrustBundle, X509Error } from "@signet/x509";
import { AgentError } from "../errors.ts";
import type { CaClient, IssuedCertificate } from "./ca-client.ts";
import type { CaEndpoint } from "./ca-endpoint.ts";
import type { TokenFileResult } from "./token-file.ts";

export type GrpcCaClientOptions = {
  readonly endpoint: CaEndpoint;
  /** The token for the next call; asked at every call. */
  readonly token: () => Promise<TokenFileResult>;
  readonly clusterId: string;
  /** Sent with every request, even when empty, as Istio's agent does. */
  readonly certSigner: string;
  /** Further headers, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
};

export interface CaClientEvents {
  tokenUnavailable(event: { readonly reason: string }): void;
  connecting(event: { readonly serverName: string }): void;
}

/** Longest root file, in bytes. */
const maxRootFileBytes = 1_048_576;

type Connection = { readonly channel: Channel; readonly rootCertificatesPem: string | undefined };

/**
 * A client of Istio's certificate service that keeps one connection.
 *
 * The connection is made anew after any failure, which may find another replica, another address behind the name or
 * another root, and whenever the root file has changed. Several server names are tried in turn, one per connection.
 * Calls fail with a StatusError, or with AgentError `ca-root-unusable`, `ca-response-incomplete` or `ca-response-malformed`.
 */
export function createGrpcCaClient(options: GrpcCaClientOptions, events: CaClientEvents): CaClient & { close(): void } {
  const { endpoint } = options;
  let connection: Connection | undefined;
  let nameIndex = 0;

  /** The channel for the root of now; a root file that is gone or broken does not cost a connection that stands. */
  async function connected(): Promise<Channel> {
    try {
      const rootCertificatesPem = endpoint.plaintext ? undefined : await readRoot(endpoint.root);
      if (connection?.rootCertificatesPem !== rootCertificatesPem || connection === undefined) {
        const channel = open(rootCertificatesPem);
        close();
        connection = { channel, rootCertificatesPem };
      }
      return connection.channel;
    } catch (error) {
      if (connection !== undefined) return connection.channel;
      throw new AgentError("ca-root-unusable", `root certificates of the CA: ${errorMessage(error)}`, { cause: error });
    }
  }

  function open(rootCertificatesPem: string | undefined): Channel {
    const address = formatHostPort(endpoint.address);
    const serverName = endpoint.serverNames[nameIndex % endpoint.serverNames.length];
    events.connecting({ serverName: serverName ?? endpoint.address.host });
    if (rootCertificatesPem === undefined) return connect({ address });
    return connect({ address, tls: { rootCertificatesPem, ...(serverName === undefined ? {} : { serverName }) } });
  }

  function close(): void {
    connection?.channel.close();
    connection = undefined;
  }

  /** A call that was given up ends late, and the connection may be another by then. */
  function closeAfterFailure(channel: Channel | undefined): void {
    if (channel !== undefined && channel === connection?.channel) close();
  }

  async function createCertificate(
    csrPem: string,
    ttlSeconds: number,
    signal: AbortSignal,
  ): Promise<IssuedCertificate> {
    let channel: Channel | undefined;
    try {
      channel = await connected();
      const response = await channel.unary(
        IstioCertificateService.method.createCertificate,
        { csr: csrPem, validityDuration: BigInt(ttlSeconds), metadata: { CertSigner: options.certSigner } },
        { metadata: await callHeaders(options, events), deadlineMs: options.deadlineMs, signal },
      );
      return readResponse(response.certChain);
    } catch (error) {
      closeAfterFailure(channel);
      // A name that does not match shows as UNAVAILABLE, and so does a CA that is away; other answers came through TLS.
      if (error instanceof StatusError && error.code === Status.UNAVAILABLE) nameIndex += 1;
      throw error;
    }
  }

  return { createCertificate, close };
}

async function readRoot(root: CaEndpoint["root"]): Promise<string> {
  if (root.kind === "system") return getCACertificates("system").join("\n");
  return (await readFileCapped(root.path, maxRootFileBytes)).toString("utf8");
}

async function callHeaders(options: GrpcCaClientOptions, events: CaClientEvents): Promise<Record<string, string>> {
  const headers: Record<string, string> = { ...options.headers };
  if (options.clusterId !== "") headers.clusterid = options.clusterId;
  const result = await options.token();
  if (result.kind === "token") headers.authorization = `Bearer ${result.token}`;
  else events.tokenUnavailable({ reason: result.reason });
  return headers;
}

/** All elements but the last are the chain, leaf first, one or more certificates each; the last is the trust bundle. */
function readResponse(certChain: readonly string[]): IssuedCertificate {
  const bundlePem = certChain.at(-1);
  if (bundlePem === undefined || certChain.length < 2) {
    throw new AgentError(
      "ca-response-incomplete",
      `the CA's answer has ${certChain.length} elements, fewer than a certificate and a root`,
    );
  }
  try {
    const [leaf, ...rest] = certChain.slice(0, -1).flatMap((pem) => parseCertificates(pem));
    if (leaf === undefined) throw new AgentError("ca-response-incomplete", "the CA's answer holds no certificate");
    return { chain: [leaf, ...rest], trustBundle: parseTrustBundle(bundlePem) };
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    throw new AgentError("ca-response-malformed", `the CA's answer: ${error.message}`, { cause: error });
  }
}
