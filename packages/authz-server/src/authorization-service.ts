import { bindService, type ServiceBinding, Status, StatusError } from "@signet/grpc";
import { Authorization } from "@signet/protos/envoy/service/auth/v3/external_auth";
import type { Check } from "./check.ts";
import { attributedRequestOf } from "./check-request.ts";
import { checkResponseOf, refusedResponse } from "./check-response.ts";

/** Returns the service `envoy.service.auth.v3.Authorization`, which answers by `check`. */
export function authorizationService(check: Check): ServiceBinding {
  return bindService(Authorization, {
    async check(request, { signal }) {
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
}
