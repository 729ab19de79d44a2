import { createServer } from "node:http";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { connectGateway } from "@signet/gateway/connect";
import { grpcInterceptor } from "@signet/gateway/grpc-js";
import { Health } from "@signet/protos/grpc/health/v1/health";
import type { AdapterUnderTest, Answer } from "./adapter-under-test.ts";
import { listen, sendHttp, sendHttp2 } from "./send-http.ts";

const path = "/grpc.health.v1.Health/Check";

/** Over Connect's own protocol, whose answers have a status of HTTP. */
export const connectApp: AdapterUnderTest = {
  name: "connect",
  kind: "rpc",
  async start(gateway, application) {
    const { interceptor, contextValues, key } = connectGateway(gateway);
    const server = createServer(
      connectNodeAdapter({
        interceptors: [interceptor],
        contextValues,
        routes: (router) =>
          router.service(Health, {
            check({ service }, context) {
              application({
                ...{ auth: gateway.authOf(context.values), conventional: context.values.get(key) },
                ...{ headers: new Map(context.requestHeader), path: "", body: service },
              });
              return {};
            },
          }),
      }),
    );
    const port = await listen(server);
    return {
      async send({ headers = [], body = "", path: target = "", signal }) {
        const typed: readonly (readonly [string, string])[] = [...headers, ["content-type", "application/json"]];
        const query = target.includes("?") ? target.slice(target.indexOf("?")) : "";
        const answer = await sendHttp(port, {
          ...{ method: "POST", path: `${path}${query}`, headers: typed, body: JSON.stringify({ service: body }) },
          ...(signal === undefined ? {} : { signal }),
        });
        const { message = "" } = JSON.parse(answer.body) as { readonly message?: string };
        return { ...answer, body: message };
      },
      close: () => server[Symbol.asyncDispose](),
    };
  },
};

/** An object even when it is empty: grpc-js takes empty text for no message. */
type Text = { readonly text: string };

const octets = {
  serialize: ({ text }: Text): Buffer => Buffer.from(text),
  deserialize: (read: Buffer): Text => ({ text: read.toString("utf8") }),
};

const statusOf: ReadonlyMap<number, number> = new Map([
  [grpc.status.OK, 200],
  [grpc.status.INVALID_ARGUMENT, 400],
  [grpc.status.UNAUTHENTICATED, 401],
  [grpc.status.PERMISSION_DENIED, 403],
  [grpc.status.UNKNOWN, 500],
  [grpc.status.UNAVAILABLE, 503],
]);

export const grpcJs: AdapterUnderTest = {
  name: "grpc-js",
  kind: "rpc",
  lacks: {
    repeatedHeaders: "grpc-js drops or joins them before an interceptor sees them",
    query: "a gRPC path has none",
  },
  async start(gateway, application) {
    const server = new grpc.Server({ interceptors: [grpcInterceptor(gateway, grpc)] });
    const method = { path, requestStream: false, responseStream: false };
    const codec = {
      ...{ requestSerialize: octets.serialize, requestDeserialize: octets.deserialize },
      ...{ responseSerialize: octets.serialize, responseDeserialize: octets.deserialize },
    };
    server.addService(
      { check: { ...method, ...codec } },
      {
        check(call: grpc.ServerUnaryCall<Text, Text>, callback: grpc.sendUnaryData<Text>) {
          const auth = gateway.authOf(call.metadata);
          const headers = new Map(Object.entries(call.metadata.getMap()).map(([name, value]) => [name, String(value)]));
          application({ auth, conventional: auth, headers, path: "", body: call.request.text });
          callback(null, { text: "done" });
        },
      },
    );
    const port = await bind(server);
    return {
      send: (request) => call(port, request),
      close: async () => server.forceShutdown(),
    };
  },
};

function bind(server: grpc.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

async function call(
  port: number,
  { headers = [], body = "", signal }: Parameters<Awaited<ReturnType<typeof grpcJs.start>>["send"]>[0],
): Promise<Answer> {
  const message = Buffer.from(body);
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  const grpcHeaders: readonly (readonly [string, string])[] = [
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ];
  const lowered = headers.map(([name, value]): [string, string] => [name.toLowerCase(), value]);
  const answer = await sendHttp2(port, {
    ...{ method: "POST", path, headers: [...grpcHeaders, ...lowered], payload: frame },
    ...(signal === undefined ? {} : { signal }),
  });
  const field = (name: string): string => answer.trailers.get(name) ?? answer.headers.get(name) ?? "";
  const status = statusOf.get(Number(field("grpc-status"))) ?? 0;
  return { status, body: decodeURIComponent(field("grpc-message")), headers: answer.headers };
}
