import type { Source, Task } from "@signet/runtime";
import type { TrustBundle } from "@signet/x509";

/** Chain and key as a TLS server takes them. */
export type ServingPem = { readonly certificateChainPem: string; readonly privateKeyPem: string };

/** The server's own certificate, kept fresh for as long as `task` runs. */
export interface ServingCertificate {
  /** Without a value until there is a certificate; then connections are closed at once. */
  readonly pem: Source<ServingPem>;
  notAfter(): Date | undefined;
  /** The roots that vouch for it. */
  readonly roots: Source<TrustBundle>;
  readonly task: Task;
}
