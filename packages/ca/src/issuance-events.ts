import type { PublicKeyInfo } from "@signet/x509";
import type { Caller } from "./caller.ts";
import type { CaError } from "./errors.ts";

/** One certificate left the CA. */
export type IssuedEvent = {
  readonly caller: Caller;
  /** Name of the signing CA. */
  readonly signingCa: string;
  /** Lower-case hex, as `openssl x509 -serial` and Envoy's logs can be compared with. */
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly publicKeyInfo: PublicKeyInfo;
  readonly durationMs: number;
};

/** One authenticated caller got no certificate. */
export type RefusedEvent = {
  readonly caller: Caller;
  /** Name of the signing CA. */
  readonly signingCa: string;
  readonly code: CaError["code"];
  readonly error: CaError;
  readonly durationMs: number;
};

/** What the CA tells of its work; processes turn it into log lines and metrics. Must not throw. */
export interface IssuanceEvents {
  issued(event: IssuedEvent): void;
  refused(event: RefusedEvent): void;
}
