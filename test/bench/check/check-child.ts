import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { parseAuthzSettings, startAuthzServer } from "@signet/authz-server";
import { CheckResponseSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";
import { createLogger, systemClock } from "@signet/runtime";

/** What a child serves: our server by some documents, or grpc-js with a handler that does nothing. */
const [role = "", directory = "", documents = ""] = process.argv.slice(2);
const socket = join(directory, `${role}.sock`);

async function serveOurs(): Promise<void> {
  const file = join(directory, `${role}.yaml`);
  writeFileSync(file, documents);
  const args = [
    "--policies",
    file,
    "--socket",
    socket,
    "--status-listen",
    "127.0.0.1:0",
    "--workload",
    "foo/app=httpbin",
  ];
  const result = parseAuthzSettings(args, {});
  if (result.kind !== "settings") throw new Error("the settings are refused");
  const logger = createLogger({ name: "authz", level: "error" });
  await startAuthzServer(result.settings, { clock: systemClock, random: Math.random, logger });
}

async function serveEmpty(): Promise<void> {
  const answer = Buffer.from(toBinary(CheckResponseSchema, create(CheckResponseSchema, { status: { code: 0 } })));
  const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
  const server = new Server();
  server.addService(
    {
      check: {
        path: "/envoy.service.auth.v3.Authorization/Check",
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes.serialize,
        requestDeserialize: bytes.deserialize,
        responseSerialize: bytes.serialize,
        responseDeserialize: bytes.deserialize,
      },
    },
    { check: (_: unknown, callback: (error: null, value: Buffer) => void) => callback(null, answer) },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

await (role === "empty" ? serveEmpty() : serveOurs());
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.send?.(socket);
