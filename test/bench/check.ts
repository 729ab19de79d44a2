import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { testIssuer } from "@signet/jwt/testing";
import { CheckRequestSchema, CheckResponseSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";
import type { BenchmarkCase } from "./measure.ts";

const rounds = 9;
const callsPerRound = 3_000;
const concurrency = 32;
const issuer = testIssuer({ issuer: "https://issuer.example" });

function policy(name: string, spec: object, kind = "AuthorizationPolicy"): string {
  return JSON.stringify({ apiVersion: "security.istio.io/v1", kind, metadata: { name, namespace: "foo" }, spec });
}

/** A hundred policies, of which one allows the request. */
const policies: readonly string[] = Array.from({ length: 100 }, (_, at) =>
  policy(`p${at}`, {
    rules: [
      {
        from: [{ source: { principals: [`cluster.local/ns/foo/sa/web-${at}`] } }],
        to: [{ operation: { methods: ["GET"], paths: [`/api/${at}/*`] } }],
      },
    ],
  }),
);
const jwt = policy("jwt", { jwtRules: [{ issuer: issuer.issuer, jwks: issuer.jwks }] }, "RequestAuthentication");

type Request = MessageInitShape<typeof CheckRequestSchema>;

function requestWith(headers: Record<string, string>): Request {
  const socketAddress = { address: "10.0.0.7", portSpecifier: { case: "portValue" as const, value: 41_000 } };
  const browser = {
    accept: "application/json",
    "user-agent": "bench",
    "x-request-id": "6b7b1d4e",
    "x-forwarded-proto": "http",
  };
  return {
    attributes: {
      source: {
        principal: "spiffe://cluster.local/ns/foo/sa/web-42",
        address: { address: { case: "socketAddress", value: socketAddress } },
      },
      request: {
        http: {
          method: "GET",
          scheme: "http",
          host: "httpbin.foo",
          path: "/api/42/x?y=1",
          headers: { ...browser, ...headers },
        },
      },
    },
  };
}

/**
 * Server CPU time of one Check over a Unix socket beside an empty handler of grpc-js, each in a process of its own, and the time
 * that 99 of 100 checks take while 32 are asked at a time.
 */
export async function check(): Promise<readonly BenchmarkCase[]> {
  const directory = mkdtempSync(join(tmpdir(), "signet-bench-check-"));
  const sides: Side[] = [];
  try {
    const empty = await openSide("empty", directory, { documents: "", request: requestWith({}) });
    sides.push(empty);
    const plain = await openSide("policies", directory, {
      documents: policies.join("\n---\n"),
      request: requestWith({}),
    });
    sides.push(plain);
    const token = { authorization: `Bearer ${issuer.sign({ sub: "alice" })}` };
    const documents = [...policies, jwt].join("\n---\n");
    const authenticated = await openSide("token", directory, { documents, request: requestWith(token) });
    sides.push(authenticated);
    return [
      ...(await compare("100 policies", plain, empty)),
      ...(await compare("100 policies and a token seen before", authenticated, empty)),
    ];
  } finally {
    for (const side of sides) await side.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

type Round = { readonly cpuMicros: number; readonly p99Micros: number };
type Side = { round(): Promise<Round>; stop(): Promise<void> };

async function openSide(
  role: string,
  directory: string,
  { documents, request }: { readonly documents: string; readonly request: Request },
): Promise<Side> {
  const child = fork(new URL("./check/check-child.ts", import.meta.url), [role, directory, documents], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const path = String(await nextMessage(child));
  const session = connectHttp2("http://localhost", { createConnection: () => connect(path) });
  await once(session, "connect");
  const framed = frame(toBinary(CheckRequestSchema, create(CheckRequestSchema, request)));
  const answer = fromBinary(CheckResponseSchema, (await call(session, framed)).subarray(5));
  if (answer.status?.code !== 0) throw new Error(`${role} does not let the request through`);
  const round = async (): Promise<Round> => {
    const before = await cpuMicros(child);
    const took = await run(session, framed);
    const after = await cpuMicros(child);
    const sorted = took.sort((one, other) => one - other);
    return {
      cpuMicros: (after - before) / callsPerRound,
      p99Micros: (sorted[Math.floor(sorted.length * 0.99)] ?? 0) * 1000,
    };
  };
  await round();
  return {
    round,
    async stop() {
      session.destroy();
      child.kill("SIGKILL");
      await once(child, "close");
    },
  };
}

async function run(session: ClientHttp2Session, request: Buffer): Promise<number[]> {
  const took: number[] = [];
  let left = callsPerRound;
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const began = performance.now();
      await call(session, request);
      took.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return took;
}

/** In turns, so that whatever else the machine does meets both. */
async function compare(name: string, ours: Side, baseline: Side): Promise<readonly BenchmarkCase[]> {
  const pairs: (readonly [Round, Round])[] = [];
  for (let at = 0; at < rounds; at++) pairs.push([await ours.round(), await baseline.round()]);
  const row = (what: string, of: (round: Round) => number): BenchmarkCase => {
    const [value, base] = [median(pairs.map(([one]) => of(one))), median(pairs.map(([, other]) => of(other)))];
    return {
      case: `${name}, ${what} / empty grpc-js`,
      unit: "us",
      value: rounded(value),
      baseline: rounded(base),
      ratio: rounded(value / base),
    };
  };
  return [row("CPU", ({ cpuMicros: cpu }) => cpu), row("p99 of 32 at a time", ({ p99Micros }) => p99Micros)];
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

async function cpuMicros(child: ChildProcess): Promise<number> {
  child.send("cpu");
  return Number(await nextMessage(child));
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const waited = new AbortController();
  const gone = once(child, "close", { signal: waited.signal }).then(() => {
    throw new Error("a process of the benchmark ended");
  });
  gone.catch(() => undefined);
  try {
    const [message] = await Promise.race([once(child, "message", { signal: waited.signal }), gone]);
    return message;
  } finally {
    waited.abort();
  }
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
