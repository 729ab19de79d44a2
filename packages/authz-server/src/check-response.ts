import { isUtf8 } from "node:buffer";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { AuthorizationResult } from "@signet/authorizer";
import { Status } from "@signet/grpc";
import type { HeaderValueOptionSchema } from "@signet/protos/envoy/config/core/v3/base";
import { type CheckResponse, CheckResponseSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";
import type { StatusCode } from "@signet/protos/envoy/type/v3/http_status";
import { structBytes } from "./struct-bytes.ts";

type CheckResponseInit = MessageInitShape<typeof CheckResponseSchema>;
type HeaderInit = MessageInitShape<typeof HeaderValueOptionSchema>;

/**
 * Returns Envoy's answer for a result: what changes upstream and for the client, or the client's refusal; and as dynamic metadata,
 * under the ext_authz filter's own name, what was decided, by which rule, and the claims of the token.
 */
export function checkResponseOf(result: AuthorizationResult): CheckResponse {
  const response = create(CheckResponseSchema, result.effect === "allow" ? allowed(result) : denied(result));
  // As octets, which is the wire's own form of a field that a message does not know.
  response.$unknown = [
    { no: dynamicMetadataField, wireType: WireType.LengthDelimited, data: prefixed(metadataOf(result)) },
  ];
  return response;
}

const dynamicMetadataField = CheckResponseSchema.field.dynamicMetadata.number;

/** With its length before it. */
function prefixed(octets: Uint8Array): Uint8Array {
  return new BinaryWriter().bytes(octets).finish();
}

/** The refusal of a request about which nothing was decided, such as one under overload. */
export function refusedResponse(status: number, body: string): CheckResponseInit {
  const code = status === 401 ? Status.UNAUTHENTICATED : Status.PERMISSION_DENIED;
  return {
    status: { code },
    httpResponse: { case: "deniedResponse", value: { status: { code: statusCode(status) }, body } },
  };
}

function allowed(result: AuthorizationResult): CheckResponseInit {
  const { remove, add, path } = result.upstream;
  const added = new Set(add.map(([name]) => name.toLowerCase()));
  return {
    status: { code: Status.OK },
    httpResponse: {
      case: "okResponse",
      value: {
        headers: [...headersOf(add), ...(path === undefined ? [] : headersOf([[":path", path]]))],
        // Envoy removes after it has set: what is written anew replaces what the client sent as it is.
        headersToRemove: remove.filter((name) => !added.has(name)).map(textOf),
        responseHeadersToAdd: headersOf(result.downstream),
      },
    },
  };
}

function denied(result: AuthorizationResult): CheckResponseInit {
  const { status = 403, body = "", headers = [] } = result.answer ?? {};
  const code = status === 401 ? Status.UNAUTHENTICATED : Status.PERMISSION_DENIED;
  return {
    status: { code, message: result.reason },
    httpResponse: {
      case: "deniedResponse",
      value: { status: { code: statusCode(status) }, body: textOf(body), headers: headersOf(headers) },
    },
  };
}

/** The first value of a name takes the place of what is there, each later one is added to it. */
function headersOf(headers: readonly (readonly [name: string, value: string])[]): HeaderInit[] {
  const seen = new Set<string>();
  return headers.map(([name, value]) => {
    const append = seen.has(name);
    seen.add(name);
    return { header: { key: textOf(name), value: textOf(value) }, append };
  });
}

function metadataOf(result: AuthorizationResult): Uint8Array {
  const { effect, reason, id, policy, provider, requestPrincipal, payload, audit, shadow } = result;
  return structBytes({
    effect,
    reason,
    policy: policy === undefined ? undefined : `${policy.namespace}/${policy.name}`,
    policy_id: id,
    provider,
    request_principal: requestPrincipal,
    payload,
    audit: audit.length === 0 ? undefined : audit.map((rule) => rule.id),
    dry_run_allow: shadow.allow?.effect,
    dry_run_deny: shadow.deny?.effect,
  });
}

/** Any number is a status to Envoy, named or not. */
function statusCode(status: number): StatusCode {
  return status as StatusCode;
}

/** The text of octets that are UTF-8; others stay one character each. */
export function textOf(octets: string): string {
  const buffer = Buffer.from(octets, "latin1");
  return isUtf8(buffer) ? buffer.toString("utf8") : octets;
}
