import { create } from "@bufbuild/protobuf";
import { bindService, type ServiceBinding, Status, StatusError } from "@signet/grpc";
import {
  Authorization,
  type CheckRequest,
  CheckRequestSchema,
} from "@signet/protos/envoy/service/auth/v3/external_auth";
import type { Check } from "./check.ts";
import { attributedRequestOf } from "./check-request.ts";
import { checkResponseOf, refusedResponse } from "./check-response.ts";

type BoundMethod = ServiceBinding["methods"][number];

/**
 * Returns the service `envoy.service.auth.v3.Authorization`, which answers by `check`.
 *
 * A question that cannot be read is refused, and no failure, which Envoy's `failure_mode_allow` would let through: Envoy hands on
 * the server name of a handshake as it came, and with octets that are no UTF-8 every client could have such a one.
 */
export function authorizationService(check: Check): ServiceBinding {
  const unreadable = create(CheckRequestSchema);
  const service = bindService(Authorization, {
    async check(request, { signal }) {
      if (request === unreadable) return refusedResponse(403, "the request cannot be read");
      const outcome = await check(attributedRequestOf(request), signal);
      switch (outcome.kind) {
        case "decided":
          return checkResponseOf(outcome.result);
        case "workload-unknown":
          return refusedResponse(403, "the workload of this request is not known");
        case "failed":
          break;
      }
      switch (outcome.onFailure) {
        case "deny":
          return refusedResponse(503, "authorization is not available");
        case "error":
          throw new StatusError(Status.UNAVAILABLE, "authorization is not available");
        case "allow":
          return { status: { code: Status.OK }, httpResponse: { case: "okResponse", value: {} } };
      }
    },
  });
  return { ...service, methods: service.methods.map((method) => reading(method, unreadable)) };
}

/** The same method, for which what cannot be read is `unreadable`. */
function reading(method: BoundMethod, unreadable: CheckRequest): BoundMethod {
  return {
    ...method,
    parse(bytes) {
      try {
        return method.parse(bytes);
      } catch {
        return unreadable;
      }
    },
  };
}
