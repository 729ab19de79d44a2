import { assertNever } from "@signet/runtime";
import { type Csr, parseCsr, verifyCsr, X509Error } from "@signet/x509";
import { CaError } from "./errors.ts";

const minRsaBits = 2048;
const maxRsaBits = 4096;

/** Above this Go's crypto/tls refuses the key, and every verification would cost its length in CPU. */
const maxRsaExponent = 2n ** 31n - 1n;

/**
 * Checks that the CSR proves possession of its key, and that the key is one to vouch for: P-256, P-384, P-521,
 * Ed25519, or RSA of 2048 to 4096 bits with an odd exponent of 3 to 2^31-1.
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
      return; // the parser knows no other curve
    case "rsa":
      checkRsaKey(info.bits, csr.publicKey.asymmetricKeyDetails?.publicExponent ?? 0n);
      return;
    default:
      assertNever(info);
  }
}

function checkRsaKey(bits: number, exponent: bigint): void {
  if (bits < minRsaBits || bits > maxRsaBits) {
    throw new CaError("csr-key-weak", `CSR has an RSA key of ${bits} bits, not ${minRsaBits} to ${maxRsaBits}`);
  }
  // Exponent 1 makes every signature a plain copy of the message; an even one belongs to no RSA key.
  if (exponent < 3n || exponent > maxRsaExponent || exponent % 2n === 0n) {
    throw new CaError("csr-key-weak", "CSR has an RSA key whose exponent is not an odd number of 3 to 2147483647");
  }
}

/**
 * Returns the CSR of a caller, with this package's codes for what can be wrong with it.
 * @throws CaError `csr-too-large`, `csr-malformed`, `csr-key-unsupported`
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
    default:
      return new CaError("csr-malformed", error.message, { cause: error });
  }
}
