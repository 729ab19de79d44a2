import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { DiscoveryRequestSchema } from "@signet/protos/envoy/service/discovery/v3/discovery";
import { type SecretRequest, secretTypeUrl } from "../sds/secret-stream.ts";

/** What the model reads of a DiscoveryResponse; `names` are those of the resources, in the same order. */
export type EnvoyResponse = {
  readonly versionInfo: string;
  readonly nonce: string;
  readonly names: readonly string[];
  readonly resources: readonly Any[];
};

/** Envoy's side of one SDS subscription stream. */
export interface EnvoySdsClientModel {
  /** What Envoy holds, by name; it keeps this when a stream ends. */
  readonly held: ReadonlyMap<string, Any>;
  readonly subscribed: readonly string[];
  /** The first request of a new stream, or undefined while there is nothing to ask for. */
  connect(): SecretRequest | undefined;
  /** Asks for exactly these names from now on; undefined while there is no stream. */
  subscribe(names: readonly string[]): SecretRequest | undefined;
  /** Takes a response over, or rejects it for this reason; returns the ACK or NACK. */
  receive(response: EnvoyResponse, rejectFor?: string): SecretRequest;
}

/**
 * A model of how Envoy speaks state-of-the-world SDS: node in the first message only, no nonce on a new stream but the
 * last accepted version, an ACK or a NACK for every response with the names wanted at that moment. It refuses an empty
 * response, which Envoy takes for the absence of the secret.
 * @example
 * ```ts
 * import { envoySdsClientModel } from "@signet/agent/testing";
 * const envoy = envoySdsClientModel("frontend-1");
 * envoy.subscribe(["default"]);
 * envoy.connect();
 * ```
 */
export function envoySdsClientModel(nodeId: string): EnvoySdsClientModel {
  const held = new Map<string, Any>();
  let subscribed: readonly string[] = [];
  let acceptedVersion = "";
  let nonce = "";
  let stream: "none" | "open" | "identified" = "none";

  function request(errorDetail?: string): SecretRequest {
    const first = stream === "open";
    stream = "identified";
    return {
      nodeId: first ? nodeId : "",
      typeUrl: secretTypeUrl,
      resourceNames: subscribed,
      responseNonce: nonce,
      versionInfo: acceptedVersion,
      ...(errorDetail === undefined ? {} : { errorDetail }),
    };
  }

  return {
    held,
    get subscribed() {
      return subscribed;
    },
    connect() {
      nonce = "";
      stream = "open";
      return subscribed.length === 0 ? undefined : request();
    },
    subscribe(names) {
      subscribed = [...names];
      for (const name of held.keys()) if (!subscribed.includes(name)) held.delete(name);
      return stream === "none" ? undefined : request();
    },
    receive(response, rejectFor) {
      if (response.resources.length === 0) throw new Error("an empty response makes Envoy go on without the secret");
      nonce = response.nonce;
      if (rejectFor !== undefined) return request(rejectFor);
      acceptedVersion = response.versionInfo;
      for (const [index, name] of response.names.entries()) {
        const resource = response.resources[index];
        if (resource !== undefined && subscribed.includes(name)) held.set(name, resource);
      }
      return request();
    },
  };
}

/** The request as it goes on the wire. */
export function envoyDiscoveryRequest(request: SecretRequest): MessageInitShape<typeof DiscoveryRequestSchema> {
  const { nodeId, typeUrl, resourceNames, responseNonce, versionInfo, errorDetail } = request;
  return {
    typeUrl,
    resourceNames: [...resourceNames],
    responseNonce,
    versionInfo,
    ...(nodeId === "" ? {} : { node: { id: nodeId } }),
    ...(errorDetail === undefined ? {} : { errorDetail: { code: 13, message: errorDetail } }),
  };
}
