import { assertNever } from "@signet/runtime";
import { type Csr, parseCsr, verifyCsr, X509Error } from "@signet/x509";
import { CaError } from "./errors.ts";

const minRsaBits = 2048;
const maxRsaBits = 4096;

/**
 * Checks that the CSR proves possession of its key, and that the key is one to vouch for: P-256, P-384, P-521,
 * Ed25519, or RSA of 2048 to 4096 bits.
 *
 * The key is judged first, so that no time goes into a signature of an absurd key.
 * @throws CaError `csr-key-weak`, `csr-signature-invalid`
 * @example
 * ```ts
 * import { checkCsr } from "@signet/ca";
 * import { parseSpiffeId } from "@signet/spiffe";
 * import { createCsr, generateKeyPair, parseCsr } from "@signet/x509";
 * const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
 * checkCsr(parseCsr(createCsr({ key: await generateKeyPair("P-256"), spiffeId })));
 * ```
 */
export function checkCsr(csr: Csr): void {
  checkKeyPolicy(csr);
  // RFC 2986 section 3: without this, anybody could have a certificate over somebody else's public key.
  if (!verifyCsr(csr)) throw new CaError("csr-signature-invalid", "CSR is not signed by the key it names");
}

function checkKeyPolicy(csr: Csr): void {
  const info = csr.publicKeyInfo;
  switch (info.kind) {
    case "ec":
    case "ed25519":
      return; // the parser knows no weak curve, and no odd RSA exponent
    case "rsa":
      checkRsaBits(info.bits);
      return;
    default:
      assertNever(info);
  }
}

function checkRsaBits(bits: number): void {
  if (bits >= minRsaBits && bits <= maxRsaBits) return;
  throw new CaError("csr-key-weak", `CSR has an RSA key of ${bits} bits, not ${minRsaBits} to ${maxRsaBits}`);
}

/**
 * Returns the CSR of a caller, with this package's codes for what can be wrong with it.
 * @throws CaError `csr-too-large`, `csr-malformed`, `csr-key-unsupported`, and `csr-signature-invalid` for a signature
 *   over SHA-1 or the like, which proves nothing
 */
export function parseCallerCsr(pem: string): Csr {
  try {
    return parseCsr(pem);
  } catch (error) {
    throw parseFailure(error);
  }
}

function parseFailure(error: unknown): unknown {
  if (!(error instanceof X509Error)) return error;
  switch (error.code) {
    case "csr-too-large":
      return new CaError("csr-too-large", error.message, { cause: error });
    case "key-unsupported":
      return new CaError("csr-key-unsupported", error.message, { cause: error });
    case "signature-algorithm-unsupported":
      return new CaError("csr-signature-invalid", error.message, { cause: error });
    default:
      return new CaError("csr-malformed", error.message, { cause: error });
  }
}
