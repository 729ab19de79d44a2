import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, type status } from "@grpc/grpc-js";
import { parseCaServerSettings, startCaServer } from "@signet/ca-server";
import { IstioCertificateResponseSchema } from "@signet/protos/istio/security/v1alpha1/ca";
import { createLogger, formatHostPort, systemClock } from "@signet/runtime";
import { type Certificate, parseCertificates } from "@signet/x509";
import { startOidcIssuer, testEnv } from "../../e2e/ca-server-fixture.ts";

/** What a call brought: the certificate of the caller, or a refusal. */
export type FuzzAnswer =
  | { readonly kind: "issued"; readonly leaf: Certificate }
  | { readonly kind: "refused"; readonly code: status };

/** A CA server on real sockets, and whoever calls it with whatever bytes. */
export type CaUnderFuzz = {
  /** A good token of `system:serviceaccount:demo:frontend`. */
  readonly token: string;
  call(request: Uint8Array, headers: Readonly<Record<string, string>>): Promise<FuzzAnswer>;
  close(): Promise<void>;
};

const path = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

/** Starts a CA server that trusts one issuer, and forwarded certificates from this machine. */
export async function startCaUnderFuzz(): Promise<CaUnderFuzz> {
  const directory = await mkdtemp(join(tmpdir(), "signet-fuzz-"));
  const issuer = await startOidcIssuer();
  const env = { ...testEnv(directory, issuer.issuer), TRUSTED_GATEWAY_CIDR: "127.0.0.1/32" };
  const parsed = parseCaServerSettings({ env, args: [] });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  const logger = createLogger({ name: "fuzz", level: "error", destination: { write: () => {} } });
  const dependencies = { clock: systemClock, random: Math.random, randomBytes, logger, version: "0.0.0-fuzz" };
  const server = await startCaServer(parsed.settings, dependencies);
  const root = Buffer.from(server.trustBundle.current()?.pem ?? "");
  // Node refuses an address as the name to ask for.
  const options = { "grpc.ssl_target_name_override": "localhost" };
  const client = new Client(formatHostPort(server.addresses.ca), credentials.createSsl(root), options);
  return {
    token: issuer.sign({ exp: Math.floor(Date.now() / 1000) + 86_400 }),
    call: (request, headers) => call(client, request, headers),
    async close() {
      client.close();
      await server.stop();
      await issuer.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function call(client: Client, request: Uint8Array, headers: Readonly<Record<string, string>>): Promise<FuzzAnswer> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const asIs = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    const answered = (error: ServiceError | null, bytes?: Buffer): void => {
      try {
        if (error !== null) resolve({ kind: "refused", code: error.code });
        else resolve({ kind: "issued", leaf: leafOf(bytes ?? Buffer.alloc(0)) });
      } catch (cause) {
        reject(cause);
      }
    };
    const options = { deadline: Date.now() + 30_000 };
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), metadata, options, answered);
  });
}

function leafOf(bytes: Uint8Array): Certificate {
  const [pem = ""] = fromBinary(IstioCertificateResponseSchema, bytes).certChain;
  const [leaf] = parseCertificates(pem);
  if (leaf === undefined) throw new Error("no certificate");
  return leaf;
}
