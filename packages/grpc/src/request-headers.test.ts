import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { IstioCertificateRequestSchema, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { bindService, plaintextCredentials, type ReadonlyMetadata, serve } from "./index.ts";
import { createClosers } from "./testing/closers.ts";

const path = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
/** For a client that repeats what HTTP allows once, as any hostile one may; Node's types do not know it. */
const careless: object = { strictSingleValueFields: false };
const closers = createClosers();
afterEach(() => closers.closeAll());

async function start() {
  const seen: ReadonlyMetadata[] = [];
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    services: [
      bindService(IstioCertificateService, {
        async createCertificate(_request, { metadata }) {
          seen.push(metadata);
          return {};
        },
      }),
    ],
  });
  closers.add(() => listener.drain(0));
  const port = "port" in listener.address ? listener.address.port : 0;
  const session = connect(`http://127.0.0.1:${port}`, careless);
  session.on("error", () => {});
  closers.add(() => session.destroy());
  return { session, seen };
}

function request(session: ClientHttp2Session, headers: readonly string[] = []): ClientHttp2Stream {
  const fixed = [":method", "POST", ":path", path, "content-type", "application/grpc", "te", "trailers"];
  const stream = session.request([...fixed, ...headers]);
  stream.on("error", () => {});
  const message = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr: "a CSR" }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  return stream.resume();
}

describe("a header", () => {
  test.each([
    { header: "authorization", sent: ["Bearer a", "Basic b", "Bearer c"], seen: ["Bearer a", "Basic b", "Bearer c"] },
    { header: "clusterid", sent: ["east", "west"], seen: ["east", "west"] },
    { header: "x-forwarded-client-cert", sent: ["URI=a,URI=b", "URI=c"], seen: ["URI=a,URI=b", "URI=c"] },
    { header: "user-agent", sent: ["", "b"], seen: ["", "b"] },
    { header: "x-bin", sent: ["AQ,Ag", "Aw=="], seen: ["AQ==", "Ag==", "Aw=="] },
    { header: "content-type", sent: [], seen: [] },
    { header: "te", sent: [], seen: [] },
    { header: ":path", sent: [], seen: [] },
    { header: "grpc-timeout", sent: ["10S"], seen: [] },
  ])("$header that is sent as $sent reaches handlers as $seen", async ({ header, sent, seen }) => {
    const setup = await start();
    const stream = request(
      setup.session,
      sent.flatMap((value) => [header, value, "x-between", "-"]),
    );
    await once(stream, "close");
    expect(setup.seen[0]?.get(header)).toEqual(seen);
    expect(setup.seen[0]?.get(header.toUpperCase())).toEqual(seen);
  });
});
