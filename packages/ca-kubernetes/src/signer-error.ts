import { CaError } from "@signet/ca";
import { KubernetesError } from "@signet/kubernetes";
import { assertNever, RuntimeError } from "@signet/runtime";

/** Returns what went wrong between us and a signer as a signing CA says it; anything unforeseen comes back as it is. */
export function signerError(error: unknown, signerName: string): unknown {
  if (error instanceof RuntimeError && error.code === "deadline-exceeded") {
    return new CaError("signer-unavailable", `signer ${signerName} has not signed in time`, { cause: error });
  }
  if (!(error instanceof KubernetesError)) return error;
  switch (error.code) {
    case "unavailable":
    case "deadline-exceeded":
    case "too-many-requests":
    case "conflict":
    case "already-exists":
    case "gone":
    case "response-too-large":
    case "response-malformed":
      return new CaError("signer-unavailable", `API server cannot be asked to have ${signerName} sign`, {
        cause: error,
      });
    case "unauthorized":
    case "forbidden":
    case "not-found":
    case "invalid":
    case "config-invalid":
      return new CaError("signer-refused", `API server refuses to have ${signerName} sign`, { cause: error });
    default:
      return assertNever(error.code);
  }
}
