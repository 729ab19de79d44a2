import { isIP, type Socket } from "node:net";
import { checkServerIdentity, connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import { GrpcError } from "./errors.ts";
import { certificateBlocks } from "./pem-blocks.ts";

/** How a client verifies the server, and shows itself. */
export type ClientTls = {
  /** PEM of the authorities to trust; no other is. */
  readonly rootCertificatesPem: string;
  /** The name or IP address the server's certificate must carry; default the host of the address. */
  readonly serverName?: string;
  readonly clientCertificate?: { readonly chainPem: string; readonly privateKeyPem: string };
};

type CreateConnector = ChannelCredentials["_createSecureConnector"];

/**
 * Credentials that verify a server at `host`. The connector of grpc-js passes an IP address as TLS server name, which Node
 * refuses (RFC 6066 section 3 forbids it); this one verifies the address against the certificate and sends no name.
 * @throws GrpcError `tls-material-invalid`
 */
export function tlsChannelCredentials(tls: ClientTls, host: string): ChannelCredentials {
  return new TlsChannelCredentials(clientContext(tls), tls.serverName ?? host);
}

class TlsChannelCredentials extends ChannelCredentials {
  readonly #context: SecureContext;
  readonly #serverName: string;

  constructor(context: SecureContext, serverName: string) {
    super();
    this.#context = context;
    this.#serverName = serverName;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...[, , callCredentials]: Parameters<CreateConnector>): ReturnType<CreateConnector> {
    return {
      connect: async (socket) => ({ socket: await secure(socket, this.#context, this.#serverName), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? CallCredentials.createEmpty(),
      destroy() {},
    };
  }
}

function clientContext(tls: ClientTls): SecureContext {
  const ca = certificateBlocks(tls.rootCertificatesPem);
  if (ca.length === 0) {
    throw new GrpcError("tls-material-invalid", "the root certificates hold no PEM certificate");
  }
  try {
    return createSecureContext({
      ca,
      minVersion: "TLSv1.2",
      ...(tls.clientCertificate === undefined
        ? {}
        : { cert: tls.clientCertificate.chainPem, key: tls.clientCertificate.privateKeyPem }),
    });
  } catch (cause) {
    throw new GrpcError("tls-material-invalid", "the client's TLS material cannot be used", { cause });
  }
}

function secure(socket: Socket, secureContext: SecureContext, serverName: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tlsSocket = connect({
      socket,
      secureContext,
      ALPNProtocols: ["h2"],
      checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    });
    tlsSocket.once("secureConnect", () => {
      if (tlsSocket.alpnProtocol === "h2") resolve(tlsSocket);
      else tlsSocket.destroy(new Error("the server does not speak HTTP/2"));
    });
    tlsSocket.on("error", reject);
    tlsSocket.once("close", () => reject(new Error("the connection closed during the TLS handshake")));
  });
}
