import { type ClientHttp2Session, connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  IstioCertificateRequestSchema,
  IstioCertificateResponseSchema,
} from "@signet/protos/istio/security/v1alpha1/ca";
import type { BenchReady } from "./bench-child.ts";

/** Calls of CreateCertificate from this process, by connections that are kept or made for each call. */
export interface Load {
  /** Makes what so many calls need before anything is measured. */
  prepare(calls: number): void;
  /** Makes so many calls, as many at a time as there are connections times `concurrency`; any failure rejects. */
  run(calls: number): Promise<void>;
  close(): void;
}

const method = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

/** gRPC's frame: no compression, the length, the message. */
function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

/** Requests in turn from these CSRs. */
export function createRequests(csrs: readonly string[]): readonly Buffer[] {
  return csrs.map((csr) =>
    frame(
      toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr, validityDuration: 3600n })),
    ),
  );
}

/** Load over so many connections that are kept, each with so many calls at a time; with a token of its own each, where made. */
export async function keptConnections(
  server: BenchReady,
  requests: readonly Buffer[],
  options: { readonly connections: number; readonly concurrency: number; readonly makeToken?: () => string },
): Promise<Load> {
  const { connections, concurrency, makeToken } = options;
  const sessions = await Promise.all(Array.from({ length: connections }, () => openSession(server)));
  const tokens: string[] = [];
  let turn = 0;
  return {
    prepare(calls) {
      while (makeToken !== undefined && tokens.length < calls) tokens.push(makeToken());
    },
    async run(calls) {
      let left = calls;
      async function caller(session: ClientHttp2Session): Promise<void> {
        while (left-- > 0) {
          const bearerToken = tokens.pop();
          const credential = bearerToken === undefined ? server : { ...server, bearerToken };
          await call(session, credential, requests[turn++ % requests.length]);
        }
      }
      await Promise.all(sessions.flatMap((session) => Array.from({ length: concurrency }, () => caller(session))));
    },
    close() {
      for (const session of sessions) session.destroy();
    },
  };
}

/** Load whose every call makes a connection of its own, with a whole TLS handshake. */
export function freshConnections(server: BenchReady, requests: readonly Buffer[], concurrency: number): Load {
  let turn = 0;
  return {
    prepare() {},
    async run(calls) {
      let left = calls;
      async function caller(): Promise<void> {
        while (left-- > 0) {
          const session = await openSession(server);
          await call(session, server, requests[turn++ % requests.length]);
          session.destroy();
        }
      }
      await Promise.all(Array.from({ length: concurrency }, caller));
    },
    close() {},
  };
}

/** One call over a connection of its own; the answer's chain without the roots. */
export async function callOnce(server: BenchReady, csr: string): Promise<readonly string[]> {
  const session = await openSession(server);
  const answer = await call(session, server, createRequests([csr])[0]);
  session.destroy();
  return fromBinary(IstioCertificateResponseSchema, answer.subarray(5)).certChain.slice(0, -1);
}

function openSession({ port, rootPem, clientCertificate }: BenchReady): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(`https://localhost:${port}`, {
      ca: rootPem,
      ...(clientCertificate && { cert: clientCertificate.chainPem, key: clientCertificate.privateKeyPem }),
    });
    session.once("error", reject);
    session.once("connect", () => resolve(session));
  });
}

function call(
  session: ClientHttp2Session,
  { bearerToken, forwardedClientCert }: BenchReady,
  request: Buffer | undefined,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": method,
      "content-type": "application/grpc",
      te: "trailers",
      ...(bearerToken !== undefined && { authorization: `Bearer ${bearerToken}` }),
      ...(forwardedClientCert !== undefined && { "x-forwarded-client-cert": forwardedClientCert }),
    });
    let status: unknown;
    const chunks: Buffer[] = [];
    const noteStatus = (headers: Readonly<Record<string, unknown>>): void => {
      status = headers["grpc-status"] ?? status;
    };
    stream.on("response", noteStatus);
    stream.on("trailers", noteStatus);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === "0" && chunks.length > 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`a call ended with grpc-status ${String(status)}`));
    });
    stream.end(request);
  });
}
