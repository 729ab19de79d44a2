import { createServer, type Server, type Socket } from "node:net";
import { GrpcError, type GrpcErrorCode } from "./errors.ts";
import { listenOnSocketFile } from "./socket-file.ts";

/** Where to listen: a TCP address, port 0 for a free one, host "" for all interfaces; or a Unix socket. */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly socketPath: string; readonly mode: number };

/** Where a listener listens; the port is the real one. */
export type BoundAddress = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** A bound socket and the connections it accepted. */
export interface Listening {
  readonly address: BoundAddress;
  readonly sockets: ReadonlySet<Socket>;
  /** Accepts no more connections and removes the socket file; those already accepted stay. Resolves when they are gone. */
  close(): Promise<void>;
}

/**
 * Listens at `address` and hands every connection to `onConnection`.
 * @throws GrpcError `address-in-use`, `address-unavailable`, `listen-failed`, and for Unix sockets those of `listenOnSocketFile`
 */
export async function listen(
  address: ListenAddress,
  options: { readonly maxConnections: number },
  onConnection: (socket: Socket) => void,
): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // Errors reach the HTTP/2 session or the TLS layer; before those exist nobody but us would listen.
    socket.on("error", () => socket.destroy());
    onConnection(socket);
  });
  if (Number.isFinite(options.maxConnections)) server.maxConnections = options.maxConnections;
  const removeFile = "socketPath" in address ? await listenOnSocketFile(server, address) : undefined;
  if ("port" in address) await listenOnPort(server, address);
  server.on("error", () => {});
  const closed = new Promise<void>((resolve) => server.on("close", resolve));
  return {
    address: boundAddress(server, address),
    sockets,
    async close() {
      if (server.listening) server.close();
      removeFile?.();
      await closed;
    },
  };
}

function listenOnPort(server: Server, address: { readonly host: string; readonly port: number }): Promise<void> {
  // Without a host Node binds "::" for both families, and 0.0.0.0 where there is no IPv6.
  const target = address.host === "" ? { port: address.port } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, `${address.host}:${address.port}`)));
    server.listen(target, resolve);
  });
}

const codesByErrno: Readonly<Record<string, GrpcErrorCode>> = {
  EADDRINUSE: "address-in-use",
  EADDRNOTAVAIL: "address-unavailable",
  ENOTFOUND: "address-unavailable",
  EAI_AGAIN: "address-unavailable",
};

function listenError(error: NodeJS.ErrnoException, where: string): GrpcError {
  const errno = error.code ?? "unknown error";
  return new GrpcError(codesByErrno[errno] ?? "listen-failed", `cannot listen on ${where}: ${errno}`, { cause: error });
}

function boundAddress(server: Server, wanted: ListenAddress): BoundAddress {
  if ("socketPath" in wanted) return { socketPath: wanted.socketPath };
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new GrpcError("listen-failed", "the listener has no address");
  return { host: bound.address, port: bound.port };
}
