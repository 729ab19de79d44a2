import { type Clock, constantSource } from "@signet/runtime";
import {
  type Certificate,
  type CertificateChain,
  needsThreadPool,
  parseCertificate,
  randomSerialNumber,
  type SvidTemplate,
  signLeaf,
  signLeafAsync,
  templateNameProblem,
} from "@signet/x509";
import { CaError } from "../errors.ts";
import type { SigningCa, SigningRequest } from "../signing-ca.ts";
import type { CaMaterial } from "./ca-material.ts";
import { createRandomPool } from "./random-pool.ts";

/** What a CA whose key is in this process needs. */
export type LocalSigningDependencies = {
  readonly clock: Clock;
  /** Cryptographically strong, as `randomBytes` of node:crypto; serial numbers come from it. */
  readonly randomBytes: (size: number) => Uint8Array;
};

/** Returns a signing CA that signs with the key of `material`. */
export function createLocalSigningCa(
  name: string,
  material: CaMaterial,
  randomBytes: LocalSigningDependencies["randomBytes"],
): SigningCa {
  const { certificate, key, chain, trustBundle, nameConstrained, revocation } = material;
  const issuer = { certificate, key };
  const limitMs = material.notAfterLimit.getTime();
  const drawBytes = createRandomPool(randomBytes);
  // On the event loop a P-256, Ed25519 or RSA-2048 signature costs less than handing it over; slower ones would block everyone.
  const onThreadPool = needsThreadPool(key);

  async function sign({ template }: SigningRequest, signal: AbortSignal): Promise<CertificateChain> {
    signal.throwIfAborted();
    if (!(template.notAfter.getTime() <= limitMs)) {
      throw new CaError("signing-failed", `template outlives the ${name} CA, which ends at ${formatInstant(limitMs)}`);
    }
    checkNames(template, nameConstrained);
    const toSign = { template, issuer, serialNumber: randomSerialNumber(drawBytes) };
    const der = onThreadPool ? await signLeafAsync(toSign) : signLeaf(toSign);
    signal.throwIfAborted();
    return [parseCertificate(der), ...chain];
  }

  return {
    name,
    keyIsLocal: true,
    sign,
    notAfterLimit: () => new Date(limitMs),
    signingKeyInfo: () => key.info,
    chain: () => chain,
    trustBundle: constantSource(trustBundle),
    ...(revocation !== undefined && { revocationLists: constantSource(revocation.pem) }),
  };
}

/** Costs nothing where no certificate above the leaf has name constraints, as is usual. */
function checkNames(template: SvidTemplate, nameConstrained: readonly Certificate[]): void {
  if (nameConstrained.length === 0) return;
  const problem = templateNameProblem(template, nameConstrained);
  if (problem !== undefined) throw new CaError("name-constrained", problem);
}

function formatInstant(ms: number): string {
  return new Date(ms).toISOString();
}
