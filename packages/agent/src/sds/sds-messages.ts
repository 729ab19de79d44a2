import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequest,
  DiscoveryResponseSchema,
} from "@signet/protos/envoy/service/discovery/v3/discovery";
import {
  advanceDeltaSecretStream,
  type DeltaSecretRequest,
  type DeltaSecretResponse,
  type DeltaSecretStreamState,
  openDeltaSecretStream,
} from "./delta-secret-stream.ts";
import {
  advanceSecretStream,
  openSecretStream,
  type SecretRequest,
  type SecretResponse,
  type SecretStreamState,
  secretTypeUrl,
} from "./secret-stream.ts";
import type { SecretProtocol } from "./serve-secret-stream.ts";

const maxNodeIdLength = 256;
const maxReasonLength = 1_024;

/** SDS state of the world: a request names everything that the client wants. */
export const stateOfTheWorld: SecretProtocol<
  DiscoveryRequest,
  SecretRequest,
  SecretStreamState,
  SecretResponse,
  MessageInitShape<typeof DiscoveryResponseSchema>
> = {
  open: openSecretStream,
  advance: advanceSecretStream,
  namesIn: ({ subscribed }) => subscribed,
  readRequest({ typeUrl, resourceNames, responseNonce, versionInfo, node, errorDetail }) {
    return { ...clientOf({ node, errorDetail }), typeUrl, resourceNames, responseNonce, versionInfo };
  },
  writeResponse: ({ versionInfo, nonce, resources }) => ({
    versionInfo,
    nonce,
    resources: [...resources],
    typeUrl: secretTypeUrl,
  }),
};

/** Incremental SDS: a request names what the client wants besides, or no longer. */
export const incremental: SecretProtocol<
  DeltaDiscoveryRequest,
  DeltaSecretRequest,
  DeltaSecretStreamState,
  DeltaSecretResponse,
  MessageInitShape<typeof DeltaDiscoveryResponseSchema>
> = {
  open: openDeltaSecretStream,
  advance: advanceDeltaSecretStream,
  namesIn: ({ subscribed }) => subscribed.keys(),
  readRequest({ typeUrl, responseNonce, node, errorDetail, ...request }) {
    return {
      ...clientOf({ node, errorDetail }),
      typeUrl,
      subscribe: request.resourceNamesSubscribe,
      unsubscribe: request.resourceNamesUnsubscribe,
      initialVersions: new Map(Object.entries(request.initialResourceVersions)),
      responseNonce,
    };
  },
  writeResponse: ({ versionInfo, nonce, resources, removed }) => ({
    systemVersionInfo: versionInfo,
    nonce,
    typeUrl: secretTypeUrl,
    resources: resources.map(({ name, revision, resource }) => ({ name, version: revision, resource })),
    removedResources: [...removed],
  }),
};

/** What both kinds of request say of the client, bounded. */
function clientOf({ node, errorDetail }: Pick<DiscoveryRequest | DeltaDiscoveryRequest, "node" | "errorDetail">): {
  readonly nodeId: string;
  readonly errorDetail?: string;
} {
  const nodeId = (node?.id ?? "").slice(0, maxNodeIdLength);
  if (errorDetail === undefined) return { nodeId };
  return { nodeId, errorDetail: `${errorDetail.message.slice(0, maxReasonLength)} (code ${errorDetail.code})` };
}
