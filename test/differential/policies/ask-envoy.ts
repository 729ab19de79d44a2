import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { valuesOf } from "../support/http1.ts";
import type { RawConnection } from "../support/raw-client.ts";
import { decisionHeaders, type ListenerPorts } from "./envoy-mesh.ts";
import type { Identities } from "./identities.ts";
import type { Sketch } from "./sketch.ts";
import { tokenOf } from "./tokens.ts";

/** What became of a request at Envoy. */
export type EnvoyAnswer = {
  readonly status: number;
  readonly body: string;
  readonly details: string;
  /** What RBAC filters left, by key. */
  readonly rbac: Readonly<Record<string, unknown>>;
  /** Whether an AUDIT policy matched, as text; empty where there is none. */
  readonly hint: string;
  /** The policy id that an authorization server has told; empty where it told none. */
  readonly check: string;
};

/** Where and how to connect; the port is what the PROXY protocol calls the client's, and tells connections apart. */
export type Knock = { readonly ports: ListenerPorts; readonly identities: Identities; readonly clientPort?: number };

/** Opens a connection as the sketch has it: PROXY protocol first, then perhaps TLS. */
export async function connectAs(knock: Knock, sketch: Sketch): Promise<Socket> {
  const { ports, identities, clientPort = 40_000 } = knock;
  const { transport, peer, sni, directIp, proxiedIp, destinationIp, destinationPort } = sketch;
  const isV6 = directIp.includes(":");
  const address = isV6
    ? { host: "::1", port: ports.v6 }
    : { host: "127.0.0.1", port: ports.v4, localAddress: directIp };
  const socket = connectTcp({ ...address, noDelay: true });
  socket.on("error", () => undefined);
  const family = proxiedIp.includes(":") ? "TCP6" : "TCP4";
  socket.write(`PROXY ${family} ${proxiedIp} ${destinationIp} ${clientPort} ${destinationPort}\r\n`);
  if (transport === "plaintext") return socket;
  const identity = peer === undefined ? {} : await identities.clientOf(peer);
  const name = sni === undefined ? {} : { servername: sni };
  const tls = connectTls({ socket, rejectUnauthorized: false, minVersion: "TLSv1.3", ...identity, ...name });
  tls.on("error", () => undefined);
  return tls;
}

const answerLimitMs = 10_000;

/** Whether a connection lets octets through: they come back, or it ends. */
export async function letsThrough(socket: Socket): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => reject(new Error("a connection neither answers nor ends")), answerLimitMs);
  socket.once("data", () => resolve(true));
  socket.once("end", () => resolve(false));
  socket.once("close", () => resolve(false));
  if (socket.destroyed) resolve(false);
  // The TLS inspector waits for as much as the head of a record.
  else socket.write("is anybody there?");
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** The octets of a request. */
export function requestOctets({ method, path, host, headers, forwardedFor, claims }: Sketch): Buffer {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}`,
    ...(forwardedFor === undefined ? [] : [`x-forwarded-for: ${forwardedFor}`]),
    ...(claims === undefined ? [] : [`x-jwt: ${tokenOf(claims)}`]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** Sends a request; undefined when the connection ends without an answer. */
export async function askEnvoy(connection: RawConnection, sketch: Sketch): Promise<EnvoyAnswer | undefined> {
  const exchange = await connection.send(requestOctets(sketch), sketch.method === "HEAD");
  if (exchange.kind === "closed") return undefined;
  const { status, headers, body } = exchange.response;
  const text = (name: string): string => valuesOf(headers, name)[0] ?? "";
  const rbac = text(decisionHeaders.rbac);
  const known = rbac.startsWith("{") ? (JSON.parse(rbac) as Record<string, unknown>) : {};
  return {
    status,
    body,
    details: text(decisionHeaders.details),
    rbac: known,
    hint: text(decisionHeaders.hint),
    check: text(decisionHeaders.check),
  };
}
