import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { AttributedPeer, AttributedRequest, CustomAnswer, CustomQuestion } from "@signet/authorizer";
import type { ExtensionProvider } from "@signet/documents";
import { type Channel, connect } from "@signet/grpc";
import type { HeaderValueOption } from "@signet/protos/envoy/config/core/v3/base";
import type { AttributeContext_PeerSchema } from "@signet/protos/envoy/service/auth/v3/attribute_context";
import {
  Authorization,
  type CheckRequestSchema,
  type CheckResponseSchema,
} from "@signet/protos/envoy/service/auth/v3/external_auth";
import { formatHostPort } from "@signet/runtime";
import { textOf } from "../check-response.ts";

/** A provider of gRPC, connected when it is first asked. */
export interface GrpcProviderClient {
  /** Rejects when there is no answer within `timeoutMs`. */
  ask(
    question: CustomQuestion,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<CustomAnswer>;
  close(): void;
}

/** Returns a client of a provider that is asked as Envoy asks it. */
export function openGrpcProvider({ service, port }: Extract<ExtensionProvider, { kind: "grpc" }>): GrpcProviderClient {
  const channel: Channel = connect({ address: formatHostPort({ host: service.host, port }) });
  return {
    async ask({ request }, { timeoutMs, signal }) {
      const response = await channel.unary(Authorization.method.check, checkRequestOf(request), {
        deadlineMs: timeoutMs,
        signal,
      });
      return answerOf(response);
    },
    close: () => channel.close(),
  };
}

type CheckRequestInit = MessageInitShape<typeof CheckRequestSchema>;

/** The question as Envoy would put it: names of headers in lower case, repeated ones joined. */
function checkRequestOf(request: AttributedRequest): CheckRequestInit {
  const { method, scheme, host, path, headers, source, destination, sni, contextExtensions } = request;
  const http = {
    method: textOf(method),
    scheme: textOf(scheme),
    host: textOf(host),
    path: textOf(path),
    headers: Object.fromEntries(
      [...Map.groupBy(headers, ([name]) => name.toLowerCase())].map(([name, pairs]) => [
        textOf(name),
        textOf(pairs.map(([, value]) => value).join(",")),
      ]),
    ),
  };
  return {
    attributes: {
      source: peerOf(source),
      destination: peerOf(destination),
      ...(request.tcp ? {} : { request: { http } }),
      contextExtensions: Object.fromEntries(contextExtensions),
      ...(sni === undefined ? {} : { tlsSession: { sni: textOf(sni) } }),
    },
  };
}

function peerOf({
  principal = "",
  address,
  port = 0,
}: AttributedPeer): MessageInitShape<typeof AttributeContext_PeerSchema> {
  if (address === undefined) return { principal: textOf(principal) };
  const value = { address, portSpecifier: { case: "portValue" as const, value: port } };
  return { principal: textOf(principal), address: { address: { case: "socketAddress", value } } };
}

function answerOf({ status, httpResponse }: MessageShape<typeof CheckResponseSchema>): CustomAnswer {
  if (httpResponse.case === "errorResponse") throw new Error("the provider answers with an error of its own");
  // A refusal without a status is none to Envoy; whoever sends one means no.
  if ((status?.code ?? 0) === 0 && httpResponse.case !== "deniedResponse") {
    const ok = httpResponse.case === "okResponse" ? httpResponse.value : undefined;
    const all = (ok?.headers ?? []).map(headerOf);
    const set = all.filter(({ name }) => !name.startsWith(":"));
    // Of what is no header the path alone can be changed, and policies look at it as it goes on.
    const path = all.findLast(({ name }) => name === ":path")?.value;
    return {
      kind: "allowed",
      upstream: {
        // A header that is set takes the place of what the client sent; one that is appended does not.
        remove: [
          ...new Set([...(ok?.headersToRemove ?? []).map(lowerCase), ...set.filter(isSet).map(({ name }) => name)]),
        ],
        add: set.map(({ name, value }) => [name, value] as const),
        ...(path === undefined ? {} : { path }),
      },
      downstream: (ok?.responseHeadersToAdd ?? []).map(headerOf).map(({ name, value }) => [name, value] as const),
    };
  }
  const denied = httpResponse.case === "deniedResponse" ? httpResponse.value : undefined;
  return {
    kind: "denied",
    answer: {
      status: denied?.status?.code || 403,
      body: octetsOf(denied?.body ?? ""),
      headers: (denied?.headers ?? []).map(headerOf).map(({ name, value }) => [name, value] as const),
    },
  };
}

type SetHeader = { readonly name: string; readonly value: string; readonly append: boolean };

function headerOf({ header, append = false }: HeaderValueOption): SetHeader {
  const raw = header?.rawValue ?? new Uint8Array();
  const value = raw.length > 0 ? Buffer.from(raw).toString("latin1") : octetsOf(header?.value ?? "");
  return { name: lowerCase(header?.key ?? ""), value, append };
}

function isSet({ append }: SetHeader): boolean {
  return !append;
}

function lowerCase(name: string): string {
  return octetsOf(name).toLowerCase();
}

function octetsOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
