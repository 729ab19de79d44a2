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
    const handshakes = new Set<Socket>();
    return {
      connect: async (socket) => {
        handshakes.add(socket);
        try {
          return { socket: await secure(socket, this.#context, this.#serverName), secure: true };
        } finally {
          handshakes.delete(socket);
        }
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? CallCredentials.createEmpty(),
      // grpc-js drops a connector without a look at what it has under way; a server that accepts and says nothing would
      // keep the socket, and with it this process, for ever.
      destroy() {
        for (const socket of handshakes) socket.destroy();
      },
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

/** As long as the server's side gives a client. */
const handshakeTimeoutMs = 10_000;

function secure(socket: Socket, secureContext: SecureContext, serverName: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tlsSocket = connect({
      socket,
      secureContext,
      ALPNProtocols: ["h2"],
      checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    });
    const tooLate = setTimeout(() => {
      tlsSocket.destroy(new Error(`the TLS handshake took longer than ${handshakeTimeoutMs} ms`));
    }, handshakeTimeoutMs);
    tlsSocket.once("close", () => clearTimeout(tooLate));
    tlsSocket.once("secureConnect", () => {
      clearTimeout(tooLate);
      if (tlsSocket.alpnProtocol === "h2") resolve(tlsSocket);
      else tlsSocket.destroy(new Error("the server does not speak HTTP/2"));
    });
    tlsSocket.on("error", reject);
    tlsSocket.once("close", () => reject(new Error("the connection closed during the TLS handshake")));
  });
}
