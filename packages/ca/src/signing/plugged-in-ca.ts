import type { SigningCa } from "../signing-ca.ts";
import { type CaFiles, openCaMaterial } from "./ca-material.ts";
import { createLocalSigningCa, type LocalSigningDependencies } from "./local-signing-ca.ts";

/** The four files of an Istio `cacerts` directory, as text. */
export type PluggedInCaFiles = CaFiles;

/**
 * Returns a CA that signs with the first certificate of `ca-cert.pem` and sends the certificates of `cert-chain.pem`,
 * each and in order, after every leaf.
 *
 * The files are verified as a set at `clock.now()`, and refused whole: the key is that of the certificate, which is a CA
 * and may sign certificates, and what it signs leads to `root-cert.pem` over `cert-chain.pem` and nothing else. The trust
 * bundle's `pem` is `root-cert.pem` verbatim.
 * @throws CaError `ca-material-invalid`, naming the file
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { createPluggedInCa, type PluggedInCaFiles } from "@signet/ca";
 * import { systemClock } from "@signet/runtime";
 * export const openCa = (files: PluggedInCaFiles) => createPluggedInCa(files, { clock: systemClock, randomBytes });
 * ```
 */
export function createPluggedInCa(files: PluggedInCaFiles, dependencies: LocalSigningDependencies): SigningCa {
  const material = openCaMaterial(files, dependencies.clock.now());
  return createLocalSigningCa("plugged-in", material, dependencies.randomBytes);
}
