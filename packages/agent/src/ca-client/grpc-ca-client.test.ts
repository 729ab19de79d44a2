import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  bindService,
  type CallContext,
  type GrpcListener,
  plaintextCredentials,
  Status,
  StatusError,
  serve,
  tlsServerCredentials,
} from "@signet/grpc";
import { type IstioCertificateRequest, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { constantSource, errorCode } from "@signet/runtime";
import { certificatePem, privateKeyPem, type SubjectAltName } from "@signet/x509";
import { type TestCa, testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createGrpcCaClient, type GrpcCaClientOptions } from "./grpc-ca-client.ts";
import type { TokenFileResult } from "./token-file.ts";

const never = new AbortController().signal;

type Call = { readonly request: IstioCertificateRequest; readonly context: CallContext };
type Answer = (call: Call) => Promise<readonly string[]>;

let directory: string;
let root: TestCa;
let rootFile: string;
let calls: Call[];
let answer: Answer;
let token: TokenFileResult;
let tokenProblems: string[];
let closers: (() => Promise<void> | void)[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-ca-client-"));
  root = await testRoot();
  rootFile = join(directory, "root.pem");
  await writeFile(rootFile, root.pem);
  const { chain } = await testLeaf(root);
  calls = [];
  answer = async () => [certificatePem(chain[0]), root.pem];
  token = { kind: "token", token: "a.b.c" };
  tokenProblems = [];
  closers = [() => rm(directory, { recursive: true })];
});

afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

const loopback: readonly SubjectAltName[] = [
  { kind: "ip", value: "127.0.0.1" },
  { kind: "dns", value: "localhost" },
];

/** A CA on TLS whose certificate, signed by `signedBy`, carries `names`. */
async function startCa(
  names: readonly SubjectAltName[] = loopback,
  signedBy: TestCa = root,
  port = 0,
): Promise<GrpcListener> {
  const serving = await testLeaf(signedBy, { subjectAltNames: names });
  const listener = await serve({
    listen: { host: "127.0.0.1", port },
    credentials: tlsServerCredentials({
      serving: constantSource({
        certificateChainPem: serving.chain.map(certificatePem).join(""),
        privateKeyPem: privateKeyPem(serving.key, "pkcs8"),
      }),
      clientCa: constantSource(signedBy.pem),
    }),
    services: [service()],
  });
  closers.push(() => listener.drain(0));
  return listener;
}

function service(): ReturnType<typeof bindService> {
  return bindService(IstioCertificateService, {
    async createCertificate(request, context) {
      const call = { request, context };
      calls.push(call);
      return { certChain: [...(await answer(call))] };
    },
  });
}

function portOf(listener: GrpcListener): number {
  return "port" in listener.address ? listener.address.port : 0;
}

type Endpoint = GrpcCaClientOptions["endpoint"];

function clientFor(
  listener: GrpcListener,
  options: Partial<GrpcCaClientOptions> & { readonly endpointParts?: Partial<Endpoint> } = {},
) {
  const { endpointParts, ...rest } = options;
  const client = createGrpcCaClient(
    {
      endpoint: {
        address: { host: "127.0.0.1", port: portOf(listener) },
        plaintext: false,
        serverNames: [undefined],
        root: { kind: "file", path: rootFile },
        ...endpointParts,
      },
      token: async () => token,
      clusterId: "Kubernetes",
      certSigner: "",
      headers: {},
      deadlineMs: 5_000,
      ...rest,
    },
    { tokenUnavailable: ({ reason }) => tokenProblems.push(reason), connecting: () => {} },
  );
  closers.push(() => client.close());
  return client;
}

async function codeOf(action: Promise<unknown>): Promise<unknown> {
  try {
    await action;
    return undefined;
  } catch (error) {
    return error instanceof StatusError ? error.code : errorCode(error);
  }
}

describe("a request for a certificate", () => {
  it("sends what Istio's agent sends", async () => {
    const client = clientFor(await startCa(), { headers: { "x-team": "red" } });
    await client.createCertificate("the csr", 86_400, never);
    const [call] = calls;
    expect(call?.request).toMatchObject({ csr: "the csr", validityDuration: 86_400n, metadata: { CertSigner: "" } });
    const metadata = call?.context.metadata;
    expect(metadata?.get("authorization")).toEqual(["Bearer a.b.c"]);
    expect(metadata?.get("clusterid")).toEqual(["Kubernetes"]);
    expect(metadata?.get("x-team")).toEqual(["red"]);
  });

  it("asks for the token anew each time, and goes without one when there is none", async () => {
    const client = clientFor(await startCa(), { certSigner: "vault" });
    await client.createCertificate("csr", 1, never);
    token = { kind: "token", token: "d.e.f" };
    await client.createCertificate("csr", 1, never);
    token = { kind: "unavailable", reason: "gone" };
    await client.createCertificate("csr", 1, never);
    const headers = calls.map(({ context }) => context.metadata.get("authorization"));
    expect(headers).toEqual([["Bearer a.b.c"], ["Bearer d.e.f"], []]);
    expect(tokenProblems).toEqual(["gone"]);
    expect(calls[0]?.request.metadata).toEqual({ CertSigner: "vault" });
  });

  it("returns leaf and intermediates, one or more in an element, and the last element as the bundle", async () => {
    const top = await testIntermediate(root);
    const issuing = await testIntermediate(top);
    const { chain } = await testLeaf(issuing);
    const [leaf = "", ...above] = chain.map(certificatePem);
    const other = await testRoot();
    const client = clientFor(await startCa());
    for (const certChain of [[leaf, ...above], [leaf, above.join("")], [leaf + above.join("")]]) {
      answer = async () => [...certChain, `# roots\n${root.pem}${other.pem}`];
      const issued = await client.createCertificate("csr", 1, never);
      expect(issued.chain.map(certificatePem)).toEqual([leaf, ...above]);
      expect(issued.trustBundle.authorities).toHaveLength(2);
    }
  });

  it.each<[string, (leaf: string) => readonly string[], string]>([
    ["no element", () => [], "ca-response-incomplete"],
    ["only a leaf", (leaf) => [leaf], "ca-response-incomplete"],
    ["no certificate before the root", () => ["", "x"], "ca-response-malformed"],
    ["junk for a leaf", () => ["junk", "junk"], "ca-response-malformed"],
    ["an empty root", (leaf) => [leaf, ""], "ca-response-malformed"],
    ["junk for a root", (leaf) => [leaf, "junk"], "ca-response-malformed"],
  ])("refuses an answer with %s", async (_title, certChain, code) => {
    const { chain } = await testLeaf(root);
    answer = async () => certChain(certificatePem(chain[0]));
    const client = clientFor(await startCa());
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(code);
  });

  it("passes on what the CA says, without asking twice", async () => {
    answer = async () => {
      throw new StatusError(Status.UNAUTHENTICATED, "request authenticate failure");
    };
    const client = clientFor(await startCa());
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAUTHENTICATED);
    expect(calls).toHaveLength(1);
  });

  it("ends at its deadline, and with its signal", async () => {
    answer = () => new Promise(() => {});
    const listener = await startCa();
    const client = clientFor(listener, { deadlineMs: 100 });
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.DEADLINE_EXCEEDED);
    const abort = new AbortController();
    const call = clientFor(listener).createCertificate("csr", 1, abort.signal);
    abort.abort();
    expect(await codeOf(call)).toBe(Status.CANCELLED);
  });
});

describe("the connection to the CA", () => {
  it("is kept from call to call", async () => {
    const client = clientFor(await startCa());
    for (let n = 0; n < 3; n += 1) await client.createCertificate("csr", 1, never);
    expect(new Set(calls.map(({ context }) => context.peer.address)).size).toBe(1);
  });

  it("is made anew after a failure", async () => {
    const client = clientFor(await startCa());
    const good = answer;
    answer = async () => {
      throw new StatusError(Status.INTERNAL, "no");
    };
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.INTERNAL);
    answer = good;
    await client.createCertificate("csr", 1, never);
    expect(new Set(calls.map(({ context }) => context.peer.address)).size).toBe(2);
  });

  it("survives a restart of the CA on the same port", async () => {
    const first = await startCa();
    const client = clientFor(first);
    await client.createCertificate("csr", 1, never);
    await first.drain(0);
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    await startCa(loopback, root, portOf(first));
    await client.createCertificate("csr", 1, never);
    expect(calls).toHaveLength(2);
  });

  it("needs the CA to be verified by the given root, and follows the file when the root changes", async () => {
    const otherRoot = await testRoot();
    const client = clientFor(await startCa(loopback, otherRoot));
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    await writeFile(rootFile, root.pem + otherRoot.pem);
    await client.createCertificate("csr", 1, never);
    expect(calls).toHaveLength(1);
    await writeFile(rootFile, root.pem);
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    expect(calls).toHaveLength(1);
  });

  it("stands while the root file is gone or broken, and cannot be made without it", async () => {
    const listener = await startCa();
    const client = clientFor(listener);
    await client.createCertificate("csr", 1, never);
    await writeFile(rootFile, "half of a");
    await client.createCertificate("csr", 1, never);
    await rm(rootFile);
    await client.createCertificate("csr", 1, never);
    expect(calls).toHaveLength(3);
    expect(new Set(calls.map(({ context }) => context.peer.address)).size).toBe(1);
    expect(await codeOf(clientFor(listener).createCertificate("csr", 1, never))).toBe("ca-root-unusable");
  });

  it("cannot be made with a root file that holds no certificate", async () => {
    await writeFile(rootFile, "junk");
    expect(await codeOf(clientFor(await startCa()).createCertificate("csr", 1, never))).toBe("ca-root-unusable");
  });

  it.each<[string, string, readonly SubjectAltName[], Endpoint["serverNames"], number]>([
    ["the IP address", "127.0.0.1", [{ kind: "ip", value: "127.0.0.1" }], [undefined], 1],
    ["the host name", "localhost", [{ kind: "dns", value: "localhost" }], ["localhost", "istiod.example"], 1],
    ["the second name", "localhost", [{ kind: "dns", value: "istiod.example" }], ["localhost", "istiod.example"], 2],
    ["a name for an IP address", "127.0.0.1", [{ kind: "dns", value: "istiod.example" }], ["istiod.example"], 1],
  ])("verifies %s", async (_title, host, names, serverNames, attempts) => {
    const listener = await startCa(names);
    const client = clientFor(listener, { endpointParts: { address: { host, port: portOf(listener) }, serverNames } });
    for (let n = 1; n < attempts; n += 1) {
      expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    }
    await client.createCertificate("csr", 1, never);
  });

  it("is refused to a CA with another name or another address", async () => {
    const listener = await startCa([
      { kind: "ip", value: "127.0.0.2" },
      { kind: "dns", value: "other.example" },
    ]);
    for (const serverNames of [[undefined], ["istiod.example"]] as const) {
      const client = clientFor(listener, { endpointParts: { serverNames } });
      expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    }
    expect(calls).toHaveLength(0);
  });

  it("is plain text only when told so", async () => {
    const listener = await serve({
      listen: { host: "127.0.0.1", port: 0 },
      credentials: plaintextCredentials(),
      services: [service()],
    });
    closers.push(() => listener.drain(0));
    await clientFor(listener, { endpointParts: { plaintext: true } }).createCertificate("csr", 1, never);
    expect(await codeOf(clientFor(listener).createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
  });
});
