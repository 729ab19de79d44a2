import { connect } from "node:tls";
import type { Address } from "./sidecar.ts";
import type { ClientCredentials } from "./strangers.ts";

/**
 * What came of one TLS connection with one HTTP request on it.
 *
 * "refused" is an alert, or an end of the connection before any answer; "unreachable" proves nothing about anyone.
 */
export type KnockOutcome =
  | { readonly kind: "answered"; readonly status: number }
  | { readonly kind: "refused"; readonly how: string }
  | { readonly kind: "unreachable"; readonly why: string };

const limitMs = 5_000;

/**
 * Calls `address` once, with `credentials` or without a client certificate.
 *
 * The server's certificate is not verified here: who refuses must be the server. The request is sent at once, since with
 * TLS 1.3 a client believes in the handshake before the server has looked at its certificate.
 */
export async function knock(address: Address, credentials: ClientCredentials | undefined): Promise<KnockOutcome> {
  const { promise, resolve } = Promise.withResolvers<KnockOutcome>();
  let reached = false;
  const identity =
    credentials === undefined ? {} : { cert: credentials.certificateChainPem, key: credentials.privateKeyPem };
  const socket = connect({ ...address, ...identity, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  const timer = setTimeout(() => resolve({ kind: "unreachable", why: `no answer in ${limitMs / 1000} s` }), limitMs);
  socket
    .once("connect", () => {
      reached = true;
    })
    .once("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: backend\r\nconnection: close\r\n\r\n"))
    .once("data", (data) => resolve(parseAnswer(data.toString("latin1"))))
    .once("error", (error) => resolve(reached ? { kind: "refused", how: alertOf(error) } : unreachable(error)))
    .once("close", () => resolve({ kind: "refused", how: "connection closed" }));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.on("error", () => undefined).destroy();
  }
}

function parseAnswer(text: string): KnockOutcome {
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  return status === undefined
    ? { kind: "unreachable", why: "the answer is not HTTP" }
    : { kind: "answered", status: Number(status) };
}

function unreachable(error: Error): KnockOutcome {
  return { kind: "unreachable", why: error.message };
}

// OpenSSL: "...:tlsv13 alert certificate required:..."; the rest of the line helps nobody.
function alertOf(error: Error): string {
  const alert = /alert ([a-z ]+)/.exec(error.message)?.[1]?.trim();
  return alert === undefined ? ("code" in error ? String(error.code) : error.message) : `TLS alert ${alert}`;
}
