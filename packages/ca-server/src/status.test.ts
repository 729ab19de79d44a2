import { CaError, type CaErrorCode } from "@signet/ca";
import { Status } from "@signet/grpc";
import { describe, expect, it } from "vitest";
import {
  authenticationStatusError,
  caStatusError,
  deadlineStatusError,
  impersonationStatusError,
  statusOf,
} from "./status.ts";

describe("caStatusError", () => {
  it.each<[CaErrorCode, Status, string]>([
    ["csr-malformed", Status.INVALID_ARGUMENT, "CSR_ERROR"],
    ["csr-too-large", Status.INVALID_ARGUMENT, "CSR_ERROR"],
    ["csr-key-unsupported", Status.INVALID_ARGUMENT, "CSR_ERROR"],
    ["csr-key-weak", Status.INVALID_ARGUMENT, "CSR_ERROR"],
    ["csr-signature-invalid", Status.INVALID_ARGUMENT, "CSR_ERROR"],
    ["ttl-too-long", Status.INVALID_ARGUMENT, "TTL_ERROR"],
    ["ca-not-ready", Status.UNAVAILABLE, "CA_NOT_READY"],
    ["ca-expired", Status.INTERNAL, "CERT_GEN_ERROR"],
    ["signing-failed", Status.INTERNAL, "CERT_GEN_ERROR"],
    ["signer-unavailable", Status.UNAVAILABLE, "CA_NOT_READY"],
    ["signer-refused", Status.INTERNAL, "CERT_GEN_ERROR"],
    ["lifetime-unsupported", Status.INVALID_ARGUMENT, "TTL_ERROR"],
    ["overloaded", Status.RESOURCE_EXHAUSTED, "CA_NOT_READY"],
    ["issued-svid-mismatch", Status.INTERNAL, "CERT_GEN_ERROR"],
    ["serving-name-malformed", Status.INTERNAL, "CERT_GEN_ERROR"],
    ["name-constrained", Status.INTERNAL, "CERT_GEN_ERROR"],
    ["ca-roots-replaced", Status.INTERNAL, "CA_NOT_READY"],
    ["ca-material-invalid", Status.INTERNAL, "CA_NOT_READY"],
  ])("turns %s into status %i and counts it as %s", (code, status, type) => {
    const error = caStatusError(new CaError(code, "secret inner workings"));
    expect(error.code).toBe(status);
    expect(statusOf[code].type).toBe(type);
    expect(error.message).toMatch(/^CSR signing error \(.+\)$/);
    const forCallers = code === "ttl-too-long" || code === "lifetime-unsupported";
    if (!forCallers) expect(error.message).not.toContain("secret");
  });

  it("names the requested and the longest lifetime, as istiod does", () => {
    const cause = new CaError("ttl-too-long", "requested lifetime 2161h0m0s exceeds 2160h0m0s");
    expect(caStatusError(cause).message).toBe("CSR signing error (requested lifetime 2161h0m0s exceeds 2160h0m0s)");
  });

  it("names the shortest lifetime that the backend can sign", () => {
    const cause = new CaError("lifetime-unsupported", "requested lifetime 5m0s is below the minimum of 10m0s");
    expect(caStatusError(cause).message).toBe(
      "CSR signing error (requested lifetime 5m0s is below the minimum of 10m0s)",
    );
  });
});

describe("refusals of callers", () => {
  it("say no more than whether to come back", () => {
    const refused = authenticationStatusError({ retryable: false });
    expect([refused.code, refused.message]).toEqual([Status.UNAUTHENTICATED, "request authenticate failure"]);
    expect(authenticationStatusError({ retryable: true }).code).toBe(Status.UNAVAILABLE);
    const impersonation = impersonationStatusError({ retryable: false });
    expect(impersonation.code).toBe(Status.UNAUTHENTICATED);
    expect(impersonation.message).toBe("request impersonation authentication failure");
    expect(impersonationStatusError({ retryable: true }).code).toBe(Status.UNAVAILABLE);
    expect(deadlineStatusError().code).toBe(Status.DEADLINE_EXCEEDED);
  });
});
