import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { CheckRequestSchema, CheckResponseSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";
import type { AskedServer } from "./asked-server.ts";
import { askInTurns, concurrency, type Side } from "./check-side.ts";

const callsPerRound = 3_000;

/** A side that is asked by one HTTP/2 connection of this process. */
export type GrpcSide = Side & { close(): void };

/** Connects to a server and sees that it lets the request through. */
export async function openGrpcSide(
  name: string,
  server: AskedServer,
  request: MessageInitShape<typeof CheckRequestSchema>,
): Promise<GrpcSide> {
  const session = connectHttp2("http://localhost", { createConnection: () => connect(server.path) });
  await once(session, "connect");
  const framed = frame(toBinary(CheckRequestSchema, create(CheckRequestSchema, request)));
  const answer = fromBinary(CheckResponseSchema, (await call(session, framed)).subarray(5));
  if (answer.status?.code !== 0) throw new Error(`${name} does not let the request through`);
  const ask = async (): Promise<void> => {
    await call(session, framed);
  };
  return {
    name,
    async round() {
      let left = callsPerRound;
      const before = await server.cpuMicros();
      const callers = Array.from({ length: concurrency }, () => ask);
      const { count, p99Micros } = await askInTurns(callers, () => left-- > 0);
      return { cpuMicros: ((await server.cpuMicros()) - before) / count, p99Micros };
    },
    close: () => session.destroy(),
  };
}

/** gRPC's frame: no compression, the length, the message. */
function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

function call(session: ClientHttp2Session, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/envoy.service.auth.v3.Authorization/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    let status: unknown;
    const chunks: Buffer[] = [];
    const note = (headers: Readonly<Record<string, unknown>>): void => {
      status = headers["grpc-status"] ?? status;
    };
    stream.on("response", note).on("trailers", note);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === "0" && chunks.length > 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`a call ended with grpc-status ${String(status)}`));
    });
    stream.end(request);
  });
}
