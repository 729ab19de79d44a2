import { bindService, Status, StatusError, serve, tlsServerCredentials } from "@signet/grpc";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { constantSource, systemClock } from "@signet/runtime";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { type FakeCaClient, fakeCaClient } from "./fake-ca-client.ts";

/** A CA that listens on loopback and issues to whoever brings a token. */
export interface ServedFakeCa {
  readonly port: number;
  /** The root that its serving certificate chains to; another than that of the workloads. */
  readonly rootPem: string;
  /** Decides what is answered. */
  readonly ca: FakeCaClient;
  /** The `authorization` header of every call, or undefined where it was missing. */
  readonly authorizations: readonly (string | undefined)[];
  /** Stops serving and cuts what is left. */
  close(): Promise<void>;
}

/**
 * Serves a `fakeCaClient` on 127.0.0.1 as Istio's certificate service, with TLS for 127.0.0.1 and localhost.
 * @example
 * ```ts
 * import { serveFakeCa } from "@signet/agent/testing";
 * const { port, rootPem, close } = await serveFakeCa({ port: 0 });
 * await close();
 * ```
 */
export async function serveFakeCa(options: {
  /** 0 picks a free one. */
  readonly port: number;
}): Promise<ServedFakeCa> {
  const ca = await fakeCaClient({ clock: systemClock });
  const root = await testRoot();
  const subjectAltNames = [
    { kind: "ip", value: "127.0.0.1" },
    { kind: "dns", value: "localhost" },
  ] as const;
  const serving = await testLeaf(root, { subjectAltNames });
  const authorizations: (string | undefined)[] = [];
  const listener = await serve({
    listen: { host: "127.0.0.1", port: options.port },
    credentials: tlsServerCredentials({
      serving: constantSource({
        certificateChainPem: serving.chain.map(certificatePem).join(""),
        privateKeyPem: privateKeyPem(serving.key, "pkcs8"),
      }),
      clientCa: constantSource(root.pem),
    }),
    services: [
      bindService(IstioCertificateService, {
        async createCertificate({ csr, validityDuration }, { metadata, signal }) {
          const [authorization] = metadata.get("authorization");
          authorizations.push(authorization);
          if (authorization === undefined) {
            throw new StatusError(Status.UNAUTHENTICATED, "request authenticate failure");
          }
          const { chain, trustBundle } = await ca.createCertificate(csr, Number(validityDuration), signal);
          return { certChain: [...chain.map(certificatePem), trustBundle.pem] };
        },
      }),
    ],
  });
  const port = "port" in listener.address ? listener.address.port : 0;
  return { port, rootPem: root.pem, ca, authorizations, close: () => listener.drain(0) };
}
