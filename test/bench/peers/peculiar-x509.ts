import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { Certificate, KeyPair } from "@signet/x509";
import type { Operation } from "../measure.ts";

/**
 * Returns issuing a certificate of the same profile with @peculiar/x509 on Node's own Web Crypto, which is faster than
 * @peculiar/webcrypto: the CSR parsed and verified, a certificate built and signed. The CA's key is imported once.
 */
export async function peculiarX509(
  csrPems: readonly string[],
  issuer: { readonly certificate: Certificate; readonly key: KeyPair },
  spiffeId: string,
): Promise<Operation> {
  const { key, certificate } = issuer;
  const algorithm = algorithmOf(key);
  const pkcs8 = key.privateKey.export({ format: "der", type: "pkcs8" });
  const signingKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
  const issuerName = new x509.Name(Uint8Array.from(certificate.subject));
  const keyIdentifier = certificate.subjectKeyIdentifier?.toHex() ?? "";
  return async (turn) => {
    const csr = new x509.Pkcs10CertificateRequest(csrPems[turn % csrPems.length] ?? "");
    if (!(await csr.verify(webcrypto))) {
      throw new Error("the CSR does not verify");
    }
    const now = Date.now();
    return x509.X509CertificateGenerator.create(
      {
        serialNumber: randomBytes(16).toString("hex"),
        issuer: issuerName,
        subject: "",
        notBefore: new Date(now - 120_000),
        notAfter: new Date(now + 86_400_000),
        publicKey: csr.publicKey,
        signingKey,
        signingAlgorithm: algorithm,
        extensions: [
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.AuthorityKeyIdentifierExtension(keyIdentifier),
          new x509.SubjectAlternativeNameExtension([{ type: "url", value: spiffeId }], true),
        ],
      },
      webcrypto,
    );
  };
}

function algorithmOf({ info }: KeyPair) {
  return info.kind === "rsa"
    ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
    : { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
}
