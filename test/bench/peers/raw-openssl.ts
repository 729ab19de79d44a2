import { createPublicKey, sign, verify } from "node:crypto";
import { type Csr, type KeyPair, parseCsr } from "@signet/x509";
import type { Operation } from "../measure.ts";

/**
 * Returns what cannot be avoided in issuing a certificate, done by OpenSSL through node:crypto with nothing around it:
 * the public key imported from its SubjectPublicKeyInfo, the CSR's signature verified, a certificate body signed.
 */
export function rawOpenSsl(csrPems: readonly string[], caKey: KeyPair, body: Uint8Array): Operation {
  const requests = csrPems.map(parseCsr);
  return (turn) => {
    const csr = requests[turn % requests.length];
    return csr === undefined ? undefined : sign("sha256", verified(csr) ? body : csr.tbs, caKey.privateKey);
  };
}

function verified(csr: Csr): boolean {
  const valid = verify("sha256", csr.tbs, importKey(csr.spki), csr.signature);
  if (!valid) {
    throw new Error("the CSR does not verify");
  }
  return valid;
}

/** Without stack traces for the errors that Node swallows here, as we do it: the baseline gets every advantage we know. */
function importKey(spki: Uint8Array): ReturnType<typeof createPublicKey> {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return createPublicKey({
      key: Buffer.from(spki.buffer, spki.byteOffset, spki.length),
      format: "der",
      type: "spki",
    });
  } finally {
    Error.stackTraceLimit = limit;
  }
}
