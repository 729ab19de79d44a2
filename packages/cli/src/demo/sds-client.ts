import { setTimeout as sleep } from "node:timers/promises";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { connect } from "@signet/grpc";
import { type Secret, SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { createSource, type Source } from "@signet/runtime";
import type { ClientCredentials } from "./strangers.ts";

/** What an agent serves: the workload's certificate and the roots to verify others by. */
export type TlsSecrets = ClientCredentials & { readonly rootCertificatesPem: string };

const secretType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const retryMs = 200;

/** Subscribes to an agent as Envoy does, and again whenever the stream ends; the value is the newest complete set. */
export function watchSecrets(socketPath: string, signal: AbortSignal): Source<TlsSecrets> {
  const source = createSource<TlsSecrets>();
  const keepSubscribed = async (): Promise<void> => {
    while (!signal.aborted) {
      await subscribe(socketPath, source.publish, signal).catch(() => undefined);
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  };
  void keepSubscribed();
  return source;
}

type Acknowledgement = { readonly versionInfo: string; readonly responseNonce: string };

async function subscribe(socketPath: string, publish: (value: TlsSecrets) => void, signal: AbortSignal): Promise<void> {
  const channel = connect({ address: `unix:${socketPath}` });
  let next = Promise.withResolvers<Acknowledgement>();
  async function* requests(): AsyncGenerator<ReturnType<typeof requestOf>> {
    yield requestOf({ versionInfo: "", responseNonce: "" });
    for (;;) {
      const acknowledgement = await next.promise;
      next = Promise.withResolvers();
      yield requestOf(acknowledgement);
    }
  }
  let secrets: Partial<TlsSecrets> = {};
  try {
    for await (const response of channel.stream(SecretDiscoveryService.method.streamSecrets, requests(), { signal })) {
      for (const resource of response.resources) {
        const secret = anyUnpack(resource, SecretSchema);
        secrets = { ...secrets, ...(secret === undefined ? {} : contentsOf(secret)) };
      }
      next.resolve({ versionInfo: response.versionInfo, responseNonce: response.nonce });
      const { certificateChainPem, privateKeyPem, rootCertificatesPem } = secrets;
      if (certificateChainPem !== undefined && privateKeyPem !== undefined && rootCertificatesPem !== undefined) {
        publish({ certificateChainPem, privateKeyPem, rootCertificatesPem });
      }
    }
  } finally {
    channel.close();
  }
}

function requestOf(acknowledgement: Acknowledgement): {
  node: { id: string };
  typeUrl: string;
  resourceNames: string[];
  versionInfo: string;
  responseNonce: string;
} {
  return { node: { id: "demo" }, typeUrl: secretType, resourceNames: ["default", "ROOTCA"], ...acknowledgement };
}

function contentsOf(secret: Secret): Partial<TlsSecrets> {
  switch (secret.type.case) {
    case "tlsCertificate":
      return {
        certificateChainPem: inlineText(secret.type.value.certificateChain?.specifier.value),
        privateKeyPem: inlineText(secret.type.value.privateKey?.specifier.value),
      };
    case "validationContext":
      return { rootCertificatesPem: inlineText(secret.type.value.trustedCa?.specifier.value) };
    default:
      return {};
  }
}

function inlineText(value: string | Uint8Array | undefined): string {
  return typeof value === "object" ? new TextDecoder().decode(value) : (value ?? "");
}
