import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { IstioCertificateResponseSchema } from "@signet/protos/istio/security/v1alpha1/ca";
import { parseTrustDomain } from "@signet/spiffe";
import {
  certificatePem,
  encodePem,
  generateKeyPair,
  parseCertificate,
  privateKeyPem,
  randomSerialNumber,
  selfSignRoot,
  signLeaf,
} from "@signet/x509";
import { bareHttp2Server } from "./bare-http2.ts";

/**
 * A bare grpc-js server with TLS that answers CreateCertificate with the same bytes every time: it reads no CSR, checks no
 * token and signs nothing, but takes a request and gives an answer of the usual size.
 */
export async function emptyGrpcJsServer(): Promise<{ port: number; rootPem: string }> {
  const { rootPem, chainPem, keyPem, answer } = await emptyAnswer();
  const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
  const server = new Server();
  server.addService(
    {
      createCertificate: {
        path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes.serialize,
        requestDeserialize: bytes.deserialize,
        responseSerialize: bytes.serialize,
        responseDeserialize: bytes.deserialize,
      },
    },
    { createCertificate: (_: unknown, callback: (error: null, value: Buffer) => void) => callback(null, answer) },
  );
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(chainPem), private_key: Buffer.from(keyPem) },
  ]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { port, rootPem };
}

/** The same answer from HTTP/2 alone. */
export async function emptyHttp2Server(): Promise<{ port: number; rootPem: string }> {
  const { rootPem, chainPem, keyPem, answer } = await emptyAnswer();
  return { port: await bareHttp2Server({ cert: chainPem, key: keyPem }, answer), rootPem };
}

async function emptyAnswer(): Promise<{ rootPem: string; chainPem: string; keyPem: string; answer: Buffer }> {
  const certificate = await servingCertificate();
  const message = create(IstioCertificateResponseSchema, { certChain: [certificate.chainPem, certificate.rootPem] });
  return { ...certificate, answer: Buffer.from(toBinary(IstioCertificateResponseSchema, message)) };
}

/** A P-256 certificate for localhost under a root of its own, as the CA server's own is. */
async function servingCertificate(): Promise<{ rootPem: string; chainPem: string; keyPem: string }> {
  const [rootKey, key] = await Promise.all([generateKeyPair("P-256"), generateKeyPair("P-256")]);
  const notBefore = new Date(Date.now() - 60_000);
  const notAfter = new Date(Date.now() + 86_400_000);
  const root = await selfSignRoot({
    key: rootKey,
    organization: parseTrustDomain("cluster.local"),
    ...{ notBefore, notAfter },
    serialNumber: randomSerialNumber(randomBytes),
  });
  const leaf = signLeaf({
    template: { spki: key.spki, subjectAltNames: [{ kind: "dns", value: "localhost" }], notBefore, notAfter },
    issuer: { certificate: parseCertificate(root), key: rootKey },
    serialNumber: randomSerialNumber(randomBytes),
  });
  return {
    rootPem: encodePem("CERTIFICATE", root),
    chainPem: certificatePem(parseCertificate(leaf)),
    keyPem: privateKeyPem(key, "pkcs8"),
  };
}
