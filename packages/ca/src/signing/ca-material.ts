import {
  type Certificate,
  type KeyPair,
  parseCertificates,
  parsePrivateKey,
  parseTrustBundle,
  type TrustBundle,
  verifyChain,
} from "@signet/x509";
import { CaError } from "../errors.ts";

/** The files of a CA, as text, named as Istio's `cacerts` names them in messages. */
export type CaFiles = {
  /** `ca-cert.pem`; its first certificate signs. */
  readonly certificatePem: string;
  /** `ca-key.pem` */
  readonly privateKeyPem: string;
  /** `cert-chain.pem`, empty when a root signs. */
  readonly chainPem: string;
  /** `root-cert.pem` */
  readonly rootPem: string;
};

/** A CA whose certificate, key, chain and roots have been found to fit together. */
export type CaMaterial = {
  readonly certificate: Certificate;
  readonly key: KeyPair;
  /** As in `cert-chain.pem`, in order. */
  readonly chain: readonly Certificate[];
  readonly trustBundle: TrustBundle;
  /** When the first certificate between the signing one and its root ends: a leaf that outlived it would be rejected. */
  readonly notAfterLimit: Date;
};

/**
 * Returns the CA that the files hold, verified as a set at the instant `at`.
 *
 * The key belongs to the signing certificate; that is a CA and may sign certificates; it leads to a root of
 * `root-cert.pem` over the certificates of `cert-chain.pem`; and peers are given it, in the chain or as a root.
 * @throws CaError `ca-material-invalid`, naming the file
 */
export function openCaMaterial(files: CaFiles, at: Date): CaMaterial {
  const [certificate] = read("ca-cert.pem", () => parseCertificates(files.certificatePem));
  if (certificate === undefined) throw invalid("ca-cert.pem holds no certificate");
  const key = read("ca-key.pem", () => parsePrivateKey(files.privateKeyPem));
  const chain = files.chainPem.trim() === "" ? [] : read("cert-chain.pem", () => parseCertificates(files.chainPem));
  const trustBundle = read("root-cert.pem", () => parseTrustBundle(files.rootPem));
  checkSigningCertificate(certificate, key, at);
  const path = verifyPath(certificate, { chain, trustBundle, at });
  checkIsDistributed(certificate, [...chain, ...trustBundle.authorities]);
  const notAfterLimit = new Date(Math.min(...path.map((member) => member.notAfter.getTime())));
  return { certificate, key, chain, trustBundle, notAfterLimit };
}

function checkSigningCertificate(certificate: Certificate, key: KeyPair, at: Date): void {
  const publicKey = read("ca-cert.pem", () => certificate.publicKey);
  if (!publicKey.equals(key.publicKey)) throw invalid("ca-key.pem is not the key of ca-cert.pem");
  if (!certificate.isCa) throw invalid("ca-cert.pem is not a CA certificate");
  // X509-SVID section 4.3
  if (!certificate.keyUsage?.has("keyCertSign")) throw invalid("ca-cert.pem has no key usage to sign certificates");
  if (certificate.notAfter < at) throw invalid(`ca-cert.pem expired at ${certificate.notAfter.toISOString()}`);
}

/** The certificates from the signing one to the root that vouches for it (RFC 5280 section 6.1). */
function verifyPath(
  certificate: Certificate,
  under: { readonly chain: readonly Certificate[]; readonly trustBundle: TrustBundle; readonly at: Date },
): readonly Certificate[] {
  const intermediates = under.chain.filter((member) => !sameCertificate(member, certificate));
  const chain = [certificate, ...intermediates] as const;
  const result = verifyChain({ chain, roots: under.trustBundle.authorities, at: under.at });
  if (result.kind === "verified") return result.path;
  throw invalid(`ca-cert.pem does not lead to root-cert.pem: ${result.code}: ${result.detail}`);
}

function checkIsDistributed(certificate: Certificate, given: readonly Certificate[]): void {
  if (given.some((other) => sameCertificate(other, certificate))) return;
  throw invalid("the certificate of ca-cert.pem is neither in cert-chain.pem nor in root-cert.pem");
}

function sameCertificate(a: Certificate, b: Certificate): boolean {
  return Buffer.compare(a.der, b.der) === 0;
}

function read<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new CaError("ca-material-invalid", `${file} cannot be read`, { cause });
  }
}

function invalid(message: string): CaError {
  return new CaError("ca-material-invalid", message);
}
