import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { formatHostPort } from "@signet/runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePythonGrpc } from "../../tools/ensure-python-grpc.ts";
import { startTestCaServer, type TestCaServer } from "./ca-server-fixture.ts";

const run = promisify(execFile);
const found = await ensurePythonGrpc();
const python = found.kind === "ready" ? found.python : "";
if (found.kind === "missing") {
  if (process.env.CI) throw new Error(`a stock gRPC client in Python is required under CI: ${found.reason}`);
  process.stderr.write(`SKIPPED: no stock gRPC client in Python, ${found.reason}\n`);
}

describe.skipIf(found.kind === "missing")("a stock gRPC client in Python", () => {
  let ca: TestCaServer;
  let directory: string;

  beforeAll(async () => {
    ca = await startTestCaServer({ SIGNET_SELF_SIGNED_CA_KEY: "rsa-2048" });
    directory = await mkdtemp(join(tmpdir(), "signet-python-"));
    const protos = join(import.meta.dirname, "../../protos");
    const out = [`--python_out=${directory}`, `--grpc_python_out=${directory}`];
    await run(python, ["-m", "grpc_tools.protoc", `-I${protos}`, ...out, "istio/security/v1alpha1/ca.proto"]);
  });

  afterAll(async () => {
    await ca.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function call(request: object): Promise<{ chain?: string[]; code?: string; details?: string }> {
    const address = formatHostPort(ca.server.addresses.ca);
    const all = { address, root: ca.rootPem, csr: "", token: ca.issuer.sign(), seconds: 3600, ...request };
    const script = join(import.meta.dirname, "python/client.py");
    const file = join(directory, "request.json");
    await writeFile(file, JSON.stringify(all));
    const { stdout } = await run(python, [script, directory, file]);
    return JSON.parse(stdout);
  }

  it("is issued a certificate that openssl verifies, for a CSR that openssl made", async () => {
    const path = (name: string) => join(directory, name);
    const subject = ["-subj", "/O=", "-addext", "subjectAltName=critical,URI:spiffe://cluster.local/ns/x/sa/y"];
    const key = ["-newkey", "rsa:2048", "-nodes", "-keyout", path("key.pem")];
    await run("openssl", ["req", "-new", ...key, ...subject, "-out", path("csr.pem")]);
    const { chain } = await call({ csr: await readFile(path("csr.pem"), "utf8") });
    expect(chain).toHaveLength(2);
    const [leaf = "", root = ""] = chain ?? [];
    await writeFile(path("leaf.pem"), leaf);
    await writeFile(path("root.pem"), root);
    const verified = await run("openssl", ["verify", "-x509_strict", "-CAfile", path("root.pem"), path("leaf.pem")]);
    expect(verified.stdout).toContain("leaf.pem: OK");
    const { stdout } = await run("openssl", ["x509", "-in", path("leaf.pem"), "-noout", "-ext", "subjectAltName"]);
    expect(stdout).toContain("URI:spiffe://cluster.local/ns/demo/sa/frontend");
    const ofKey = await run("openssl", ["pkey", "-in", path("key.pem"), "-pubout"]);
    const ofLeaf = await run("openssl", ["x509", "-in", path("leaf.pem"), "-noout", "-pubkey"]);
    expect(ofLeaf.stdout).toBe(ofKey.stdout);
  });

  it("is told in its own terms what is wrong", async () => {
    expect(await call({ token: "a.b.c" })).toEqual({
      code: "UNAUTHENTICATED",
      details: "request authenticate failure",
    });
    expect((await call({ csr: "hello" })).code).toBe("INVALID_ARGUMENT");
  });

  it.each<[string, Buffer]>([
    ["bytes that are no message", Buffer.from("ffffffffff", "hex")],
    ["a message that is cut off", Buffer.from("0a05", "hex")],
    ["text that is not UTF-8", Buffer.from("0a02ff00", "hex")],
    ["metadata nested without end", nestedStruct(20_000)],
  ])("cannot hurt the server with %s", async (_, bytes) => {
    const { code } = await call({ raw: bytes.toString("hex") });
    expect(["INTERNAL", "INVALID_ARGUMENT"]).toContain(code);
    expect(await ca.server.ready()).toBe(true);
  });
});

/** A request whose `metadata` is a list in a list in a list (google.protobuf.Value `list_value` is field 6). */
function nestedStruct(depth: number): Buffer {
  let value: Buffer = Buffer.from([0x08, 0x00]);
  for (let level = 0; level < depth; level += 1) value = field(6, field(1, value));
  const entry = field(1, Buffer.concat([field(1, Buffer.from("x")), field(2, value)]));
  return field(4, entry);
}

function field(number: number, content: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.of((number << 3) | 2, ...length), content]);
}
