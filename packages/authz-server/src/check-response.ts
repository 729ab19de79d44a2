import { isUtf8 } from "node:buffer";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AuthorizationResult } from "@signet/authorizer";
import { Status } from "@signet/grpc";
import type { HeaderValueOptionSchema } from "@signet/protos/envoy/config/core/v3/base";
import type { CheckResponseSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";
import type { StatusCode } from "@signet/protos/envoy/type/v3/http_status";

type CheckResponseInit = MessageInitShape<typeof CheckResponseSchema>;
type HeaderInit = MessageInitShape<typeof HeaderValueOptionSchema>;

/**
 * Returns Envoy's answer for a result: what changes upstream and for the client, or the client's refusal; and as dynamic metadata,
 * under the ext_authz filter's own name, what was decided, by which rule, and the claims of the token.
 */
export function checkResponseOf(result: AuthorizationResult): CheckResponseInit {
  return result.effect === "allow" ? allowed(result) : denied(result);
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
    dynamicMetadata: metadataOf(result),
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
    dynamicMetadata: metadataOf(result),
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

type Metadata = NonNullable<CheckResponseInit["dynamicMetadata"]>;

function metadataOf(result: AuthorizationResult): Metadata {
  const { effect, reason, id, policy, provider, requestPrincipal, payload, audit, shadow } = result;
  const metadata = {
    effect,
    reason,
    ...(policy === undefined ? {} : { policy: `${policy.namespace}/${policy.name}` }),
    ...(id === undefined ? {} : { policy_id: id }),
    ...(provider === undefined ? {} : { provider }),
    ...(requestPrincipal === undefined ? {} : { request_principal: requestPrincipal }),
    ...(payload === undefined ? {} : { payload }),
    ...(audit.length === 0 ? {} : { audit: audit.map((rule) => rule.id) }),
    ...(shadow.allow === undefined ? {} : { dry_run_allow: shadow.allow.effect }),
    ...(shadow.deny === undefined ? {} : { dry_run_deny: shadow.deny.effect }),
  };
  // Claims are JSON, as all else here.
  return metadata as Metadata;
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
