import type { AuthenticationReason } from "@signet/ca";
import type { JwtResult } from "@signet/jwt";

type RejectionCode = Extract<JwtResult, { kind: "rejected" }>["code"];

/** How authenticators call what is wrong with a JWT. */
export const rejectionReasons: Readonly<Record<RejectionCode, AuthenticationReason>> = {
  "token-malformed": "token-malformed",
  "token-too-large": "token-too-large",
  "critical-header-unsupported": "critical-header-unsupported",
  "algorithm-not-allowed": "algorithm-not-allowed",
  "issuer-unknown": "issuer-unknown",
  "audience-mismatch": "audience-mismatch",
  "expiry-missing": "expiry-missing",
  "token-expired": "token-expired",
  "token-not-yet-valid": "token-not-yet-valid",
  "subject-missing": "subject-missing",
  "key-not-found": "key-not-found",
  "key-unsuitable": "key-unsuitable",
  "signature-invalid": "signature-invalid",
};
