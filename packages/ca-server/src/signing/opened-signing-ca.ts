import type { Admission, SigningCa } from "@signet/ca";
import type { KubernetesApi } from "@signet/kubernetes";
import type { Clock, Logger, Random, Task } from "@signet/runtime";
import type { ReadinessProbe } from "../readiness.ts";
import type { CaServerSettings } from "../settings.ts";
import type { SigningEvents } from "./signing-events.ts";

/** A signing CA, where it came from, and what to do when it is no longer used. */
export type OpenedSigningCa = {
  readonly signingCa: SigningCa;
  /** The CA of the server's own certificate; another one where workloads' signers sign no DNS names. */
  readonly servingCa: SigningCa;
  /** The CA that a caller chooses with `CertSigner`; absent where there is nothing to choose. */
  signerFor?(certSigner: string, signal: AbortSignal): Promise<SigningCa>;
  /** True where each caller names its signer, so that the CA has no roots of its own. */
  readonly rootsByCaller?: boolean;
  /** How it is found out whether it signs. */
  readonly probe: ReadinessProbe;
  /** Bounds how many signatures are asked for at once, where the CA itself does not. */
  readonly admission?: Admission;
  /** Directory, Secret or address of its key. */
  readonly origin: string;
  /** What has to run while it signs. */
  readonly tasks: readonly Task[];
  release(): Promise<void>;
};

/** What signing CAs are opened by. */
export type SigningCaSettings = Pick<
  CaServerSettings,
  "trustDomain" | "namespace" | "signing" | "servingFiles" | "meshCaCertificates"
>;

/** What opening a signing CA needs. */
export type SigningCaDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly logger: Logger;
  readonly events: SigningEvents;
  /** Absent where there is no Kubernetes API. */
  readonly api?: KubernetesApi;
};
