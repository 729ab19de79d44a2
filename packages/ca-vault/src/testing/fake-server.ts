import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import type { FakeRequest } from "./fake-answer.ts";

/** Reads a request whole. */
export async function readRequest(message: IncomingMessage): Promise<FakeRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  const { pathname, searchParams } = new URL(message.url ?? "/", "https://fake");
  const text = Buffer.concat(chunks).toString("utf8");
  const peer = message.socket instanceof TLSSocket ? message.socket.getPeerCertificate().raw : undefined;
  const { method = "GET" } = message;
  return {
    method: method === "POST" || method === "PUT" ? "POST" : method === "DELETE" ? "DELETE" : "GET",
    path: decodeURIComponent(pathname).replace(/^\/v1\//, ""),
    list: method === "LIST" || searchParams.has("list"),
    headers: message.headers,
    body: parseObject(text),
    clientCertificate: peer,
  };
}

function parseObject(text: string): FakeRequest["body"] {
  const value: unknown = text === "" ? {} : JSON.parse(text);
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** Listens on a loopback port with a certificate of an authority made for it. */
export async function openServer(
  listener: (message: IncomingMessage, response: ServerResponse) => void,
): Promise<{ server: Server; caPem: string }> {
  const authority = await testRoot({ trustDomain: "vault.test" });
  const leaf = await testLeaf(authority, {
    subjectAltNames: [
      { kind: "ip", value: "127.0.0.1" },
      { kind: "dns", value: "localhost" },
    ],
  });
  const server = createServer(
    {
      cert: leaf.chain.map(certificatePem).join(""),
      key: privateKeyPem(leaf.key, "pkcs8"),
      // As Vault does: any certificate may be presented, and the login by certificate looks at it.
      requestCert: true,
      rejectUnauthorized: false,
    },
    listener,
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, caPem: authority.pem };
}

/** The port of a server that listens. */
export function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
