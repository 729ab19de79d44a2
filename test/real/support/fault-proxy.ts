import { once } from "node:events";
import { connect as connectTo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { assertNever } from "@signet/runtime";

/** What the proxy does to every connection through it, to those that are open already as well. */
export type Fault =
  | { readonly kind: "pass" }
  /** Every piece that is sent, in both directions, waits so long. */
  | { readonly kind: "latency"; readonly ms: number }
  /** Connections are accepted and stay open, and nothing goes through until the fault is over. */
  | { readonly kind: "half-open" }
  /** Connections end with RST: at once, or after so many bytes of the server's, counted on each from now on. */
  | { readonly kind: "reset"; readonly afterBytes?: number }
  /** Connections end orderly after so many bytes of the server's, counted on each from now on. */
  | { readonly kind: "truncate"; readonly afterBytes: number }
  /** Whatever is sent is answered with bytes that are nothing, and does not reach the server. */
  | { readonly kind: "garbage" };

/** A TCP proxy on 127.0.0.1 that can be made to misbehave; TLS goes through it untouched. */
export interface FaultProxy {
  readonly port: number;
  /** How many connections were accepted so far, and how many are open. */
  readonly accepted: number;
  readonly open: number;
  set(fault: Fault): void;
  /**
   * From now on nothing goes through the connections that are open, which stay open, whatever the fault is; new ones are as
   * good as ever. So it is behind a load balancer, one of whose servers hangs.
   */
  abandon(): void;
  close(): Promise<void>;
}

type Connection = {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Bytes of the server's that went through since the fault was set. */
  passed: number;
  abandoned: boolean;
  /** Settles when both sides are gone. */
  readonly gone: PromiseWithResolvers<void>;
};

/** Everything that the connections share: the fault, and what wakes those that wait for another one. */
type Shared = { fault: Fault; changed: PromiseWithResolvers<void>; readonly connections: Set<Connection> };

/** Starts a proxy in front of a port of 127.0.0.1, or of `host`. */
export async function startFaultProxy(target: { readonly port: number; readonly host?: string }): Promise<FaultProxy> {
  const shared: Shared = { fault: { kind: "pass" }, changed: Promise.withResolvers(), connections: new Set() };
  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    if (resetsAtOnce(shared.fault)) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connectTo({ host: "127.0.0.1", ...target });
    carry({ client, upstream, passed: 0, abandoned: false, gone: Promise.withResolvers() }, shared);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server),
    get accepted() {
      return accepted;
    },
    get open() {
      return shared.connections.size;
    },
    set(fault) {
      shared.fault = fault;
      shared.changed.resolve();
      shared.changed = Promise.withResolvers();
      for (const connection of shared.connections) {
        connection.passed = 0;
        if (resetsAtOnce(fault)) cut(connection, "reset");
      }
    },
    abandon() {
      for (const connection of shared.connections) connection.abandoned = true;
    },
    async close() {
      server.close();
      for (const connection of shared.connections) cut(connection, "reset");
      // Wakes those that wait for the fault to end; their sockets are gone.
      shared.fault = { kind: "pass" };
      shared.changed.resolve();
      await once(server, "close");
    },
  };
}

function carry(connection: Connection, shared: Shared): void {
  const { client, upstream } = connection;
  shared.connections.add(connection);
  for (const socket of [client, upstream]) {
    // What happens to one side happens to the other; which side it was does not matter.
    socket.on("error", () => cut(connection, "reset"));
    socket.once("close", () => {
      // Nothing that is still on its way will tell the other side.
      if (connection.abandoned) cut(connection, "reset");
      if (!client.destroyed || !upstream.destroyed) return;
      shared.connections.delete(connection);
      connection.gone.resolve();
    });
  }
  const gone = (): void => cut(connection, "reset");
  const turn = (): Promise<void> => untilItsTurn(connection, shared);
  pump({ from: client, to: upstream, turn, deliver: (bytes) => toServer(bytes, connection, shared) }).catch(gone);
  pump({ from: upstream, to: client, turn, deliver: (bytes) => toClient(bytes, connection, shared) }).catch(gone);
}

type Direction = {
  readonly from: Socket;
  readonly to: Socket;
  /** Resolves when what has come may go on. */
  readonly turn: () => Promise<void>;
  readonly deliver: (bytes: Buffer) => Promise<void>;
};

async function pump({ from, to, turn, deliver }: Direction): Promise<void> {
  for await (const bytes of from) {
    await turn();
    await deliver(bytes);
  }
  await turn();
  to.end();
}

async function untilItsTurn(connection: Connection, shared: Shared): Promise<void> {
  if (shared.fault.kind === "latency") await sleep(shared.fault.ms);
  while (shared.fault.kind === "half-open") await shared.changed.promise;
  if (connection.abandoned) await connection.gone.promise;
}

async function toServer(bytes: Buffer, { client, upstream }: Connection, { fault }: Shared): Promise<void> {
  if (fault.kind === "garbage") await send(client, Buffer.alloc(64, 0x99));
  else await send(upstream, bytes);
}

async function toClient(bytes: Buffer, connection: Connection, { fault }: Shared): Promise<void> {
  const { client } = connection;
  switch (fault.kind) {
    case "pass":
    case "latency":
    case "half-open":
      return await send(client, bytes);
    case "garbage":
      return;
    case "reset":
    case "truncate": {
      const rest = bytes.subarray(0, (fault.afterBytes ?? 0) - connection.passed);
      connection.passed += rest.length;
      await send(client, rest);
      if (connection.passed === fault.afterBytes) cut(connection, fault.kind);
      return;
    }
    default:
      return assertNever(fault);
  }
}

async function send(to: Socket, bytes: Buffer): Promise<void> {
  if (!to.destroyed && !to.write(bytes)) await Promise.race([once(to, "drain"), once(to, "close")]);
}

function cut({ client, upstream }: Connection, how: "reset" | "truncate"): void {
  if (how === "reset") client.resetAndDestroy();
  else client.destroySoon();
  upstream.destroy();
}

function resetsAtOnce(fault: Fault): boolean {
  return fault.kind === "reset" && (fault.afterBytes ?? 0) === 0;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
  return address.port;
}
