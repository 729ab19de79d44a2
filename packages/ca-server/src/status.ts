import type { CaError, CaErrorCode } from "@signet/ca";
import { Status, StatusError } from "@signet/grpc";

/** istiod's error types: the values of label `error` of `citadel_server_csr_sign_err_count`. */
export type SignErrorType = "CA_NOT_READY" | "CSR_ERROR" | "TTL_ERROR" | "CERT_GEN_ERROR";

type PublicFailure = { readonly status: Status; readonly type: SignErrorType; readonly detail: string };

/**
 * What a client is told when the CA refuses or fails, by code.
 *
 * As istiod, except that a CA which is not ready is UNAVAILABLE rather than INTERNAL: the client is asked to come back.
 */
export const statusOf: Readonly<Record<CaErrorCode, PublicFailure>> = {
  "ca-not-ready": { status: Status.UNAVAILABLE, type: "CA_NOT_READY", detail: "the CA is not ready" },
  "ca-expired": { status: Status.INTERNAL, type: "CERT_GEN_ERROR", detail: "the CA's own certificate has expired" },
  "csr-malformed": {
    status: Status.INVALID_ARGUMENT,
    type: "CSR_ERROR",
    detail: "the CSR is not a PKCS#10 request in PEM that this CA can sign",
  },
  "csr-too-large": { status: Status.INVALID_ARGUMENT, type: "CSR_ERROR", detail: "the CSR exceeds 65536 bytes" },
  "csr-key-unsupported": {
    status: Status.INVALID_ARGUMENT,
    type: "CSR_ERROR",
    detail: "the CSR's key is of a kind that is not supported",
  },
  "csr-key-weak": {
    status: Status.INVALID_ARGUMENT,
    type: "CSR_ERROR",
    detail: "the CSR's key is not of RSA 2048 to 4096, P-256, P-384, P-521 or Ed25519",
  },
  "csr-signature-invalid": {
    status: Status.INVALID_ARGUMENT,
    type: "CSR_ERROR",
    detail: "the CSR is not signed with its own key",
  },
  "ttl-too-long": {
    status: Status.INVALID_ARGUMENT,
    type: "TTL_ERROR",
    detail: "the requested lifetime exceeds the maximum",
  },
  "serving-name-malformed": {
    status: Status.INTERNAL,
    type: "CERT_GEN_ERROR",
    detail: "the certificate cannot be made",
  },
  "signing-failed": { status: Status.INTERNAL, type: "CERT_GEN_ERROR", detail: "the certificate cannot be signed" },
  "signer-unavailable": {
    status: Status.UNAVAILABLE,
    type: "CA_NOT_READY",
    detail: "what signs certificates is not available now",
  },
  "signer-refused": { status: Status.INTERNAL, type: "CERT_GEN_ERROR", detail: "the certificate cannot be signed" },
  "lifetime-unsupported": {
    status: Status.INVALID_ARGUMENT,
    type: "TTL_ERROR",
    detail: "the requested lifetime is below the minimum",
  },
  overloaded: {
    status: Status.RESOURCE_EXHAUSTED,
    type: "CA_NOT_READY",
    detail: "the CA has no room for one more call now",
  },
  "issued-svid-mismatch": {
    status: Status.INTERNAL,
    type: "CERT_GEN_ERROR",
    detail: "the signed certificate is not the one asked for",
  },
  "name-constrained": { status: Status.INTERNAL, type: "CERT_GEN_ERROR", detail: "the CA may not sign for this name" },
  "ca-roots-replaced": {
    status: Status.INTERNAL,
    type: "CA_NOT_READY",
    detail: "the CA's roots were replaced and not added to",
  },
  "ca-material-invalid": {
    status: Status.INTERNAL,
    type: "CA_NOT_READY",
    detail: "the CA's certificates do not fit together",
  },
};

/** What the client of the CA RPC is told of a CA error; the cause stays with the returned error, for the log. */
export function caStatusError(error: CaError): StatusError {
  const failure = statusOf[error.code];
  // istiod names both durations, and they are the client's own number and this CA's public limit.
  const tellsLimit = error.code === "ttl-too-long" || error.code === "lifetime-unsupported";
  const detail = tellsLimit ? error.message : failure.detail;
  return new StatusError(failure.status, `CSR signing error (${detail})`, { cause: error });
}

/** What a client is told that could not be authenticated: nothing that helps it guess, only whether to come back. */
export function authenticationStatusError(options: { readonly retryable: boolean }): StatusError {
  return options.retryable
    ? new StatusError(Status.UNAVAILABLE, "request authentication is not available now")
    : new StatusError(Status.UNAUTHENTICATED, "request authenticate failure");
}

/** What a client is told that asks for somebody else's certificate and may not have it, or not now. */
export function impersonationStatusError(options: { readonly retryable: boolean }): StatusError {
  return options.retryable
    ? new StatusError(Status.UNAVAILABLE, "request impersonation authentication is not available now")
    : new StatusError(Status.UNAUTHENTICATED, "request impersonation authentication failure");
}

/** What a client is told whose certificate takes longer than this server works for one. */
export function deadlineStatusError(): StatusError {
  return new StatusError(Status.DEADLINE_EXCEEDED, "the certificate was not issued in time");
}
