import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  bindService,
  type CallContext,
  type GrpcListener,
  type ServerCredentials,
  StatusError,
  serve,
  tlsServerCredentials,
} from "@signet/grpc";
import { type IstioCertificateRequest, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { constantSource, errorCode } from "@signet/runtime";
import { certificatePem, privateKeyPem, type SubjectAltName } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import type { CaClient } from "../ca-client/ca-client.ts";
import { createGrpcCaClient, type GrpcCaClientOptions } from "../ca-client/grpc-ca-client.ts";
import type { TokenFileResult } from "../ca-client/token-file.ts";

type Endpoint = GrpcCaClientOptions["endpoint"];
type ClientOptions = Partial<GrpcCaClientOptions> & { readonly endpointParts?: Partial<Endpoint> };
type CaOptions = {
  /** Names in the CA's certificate; 127.0.0.1 and localhost by default. */
  readonly names?: readonly SubjectAltName[];
  readonly signedBy?: TestCa;
  readonly port?: number;
  readonly credentials?: ServerCredentials;
};

/** CAs and clients of theirs on loopback, with what the one sent and how the other answers. */
export interface CaClientFixture {
  readonly root: TestCa;
  /** Holds the root; a test may replace it. */
  readonly rootFile: string;
  readonly calls: readonly { readonly request: IstioCertificateRequest; readonly context: CallContext }[];
  readonly tokenProblems: readonly string[];
  answer: () => Promise<readonly string[]>;
  token: TokenFileResult;
  startCa(options?: CaOptions): Promise<GrpcListener>;
  clientFor(listener: GrpcListener, options?: ClientOptions): CaClient;
  close(): Promise<void>;
}

const loopback: readonly SubjectAltName[] = [
  { kind: "ip", value: "127.0.0.1" },
  { kind: "dns", value: "localhost" },
];

/** A fixture whose CAs answer with one good certificate. */
export async function caClientFixture(): Promise<CaClientFixture> {
  const directory = await mkdtemp(join(tmpdir(), "signet-ca-client-"));
  const root = await testRoot();
  const rootFile = join(directory, "root.pem");
  await writeFile(rootFile, root.pem);
  const { chain } = await testLeaf(root);
  const calls: CaClientFixture["calls"][number][] = [];
  const tokenProblems: string[] = [];
  const closers: (() => Promise<void> | void)[] = [() => rm(directory, { recursive: true })];
  const service = bindService(IstioCertificateService, {
    async createCertificate(request, context) {
      calls.push({ request, context });
      return { certChain: [...(await fixture.answer())] };
    },
  });

  const fixture: CaClientFixture = {
    root,
    rootFile,
    calls,
    tokenProblems,
    answer: async () => [certificatePem(chain[0]), root.pem],
    token: { kind: "token", token: "a.b.c" },
    async startCa({ names = loopback, signedBy = root, port = 0, credentials } = {}) {
      const listener = await serve({
        listen: { host: "127.0.0.1", port },
        credentials: credentials ?? (await credentialsFor(names, signedBy)),
        services: [service],
      });
      closers.push(() => listener.drain(0));
      return listener;
    },
    clientFor(listener, { endpointParts, ...rest } = {}) {
      const endpoint: Endpoint = {
        address: { host: "127.0.0.1", port: portOf(listener) },
        plaintext: false,
        serverNames: [undefined],
        root: { kind: "file", path: rootFile },
        ...endpointParts,
      };
      const defaults = {
        endpoint,
        token: async () => fixture.token,
        clusterId: "Kubernetes",
        certSigner: "",
        headers: {},
      };
      const client = createGrpcCaClient(
        { ...defaults, deadlineMs: 5_000, ...rest },
        { tokenUnavailable: ({ reason }) => void tokenProblems.push(reason), connecting: () => {} },
      );
      closers.push(() => client.close());
      return client;
    },
    async close() {
      for (const close of closers.reverse()) await close();
    },
  };
  return fixture;
}

async function credentialsFor(names: readonly SubjectAltName[], signedBy: TestCa): Promise<ServerCredentials> {
  const serving = await testLeaf(signedBy, { subjectAltNames: names });
  return tlsServerCredentials({
    serving: constantSource({
      certificateChainPem: serving.chain.map(certificatePem).join(""),
      privateKeyPem: privateKeyPem(serving.key, "pkcs8"),
    }),
    clientCa: constantSource(signedBy.pem),
  });
}

/** The port of a listener on TCP. */
export function portOf(listener: GrpcListener): number {
  return "port" in listener.address ? listener.address.port : 0;
}

/** The status or the code that `action` fails with; undefined when it does not. */
export async function codeOf(action: Promise<unknown>): Promise<unknown> {
  try {
    await action;
    return undefined;
  } catch (error) {
    return error instanceof StatusError ? error.code : errorCode(error);
  }
}
