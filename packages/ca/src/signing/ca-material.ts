import {
  type Certificate,
  type CertificateChain,
  type KeyPair,
  parseCertificate,
  parseCertificates,
  parsePrivateKey,
  parseTrustBundle,
  signProbe,
  type TrustBundle,
  verifyChain,
} from "@signet/x509";
import { CaError } from "../errors.ts";
import { type CaRevocation, openRevocation, type RevocationIssuers } from "./ca-material-revocation.ts";

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
  /** `ca-crl.pem`, absent or empty when there is none. */
  readonly crlPem?: string;
};

/** A CA whose certificate, key, chain and roots have been found to fit together. */
export type CaMaterial = {
  readonly certificate: Certificate;
  readonly key: KeyPair;
  /** As in `cert-chain.pem`, in order. */
  readonly chain: readonly Certificate[];
  readonly trustBundle: TrustBundle;
  /** A leaf that names nobody, signed with the key; only a leaf shows what peers will make of leaves. */
  readonly probe: Certificate;
  /** The certificates above a leaf that have name constraints; most CAs have none. */
  readonly nameConstrained: readonly Certificate[];
  readonly revocation: CaRevocation | undefined;
  /** When the first certificate between the signing one and its root ends: a leaf that outlived it would be rejected. */
  readonly notAfterLimit: Date;
};

/**
 * Returns the CA that the files hold, verified as a set at the instant `at`.
 *
 * The key belongs to the signing certificate, which is a CA and may sign certificates; and a leaf it signs leads to a
 * root of `root-cert.pem` over nothing but the certificates of `cert-chain.pem`, which is what a peer will have. Where
 * there are revocation lists, every certificate on that way and in `cert-chain.pem` has signed one.
 * @throws CaError `ca-material-invalid`, naming the file
 */
export function openCaMaterial(files: CaFiles, at: Date): CaMaterial {
  const [certificate] = read("ca-cert.pem", () => parseCertificates(files.certificatePem));
  if (certificate === undefined) throw invalid("ca-cert.pem holds no certificate");
  const key = read("ca-key.pem", () => parsePrivateKey(files.privateKeyPem));
  const chain = files.chainPem.trim() === "" ? [] : read("cert-chain.pem", () => parseCertificates(files.chainPem));
  // It goes out word for word, with every certificate and to every workload.
  if (/-----BEGIN [^\n]*PRIVATE KEY/.test(files.rootPem)) throw invalid("root-cert.pem holds a private key");
  const trustBundle = read("root-cert.pem", () => parseTrustBundle(files.rootPem));
  // Envoy refuses a whole bundle for one certificate that it cannot read, and with it all traffic.
  const [unreadable] = trustBundle.skipped;
  if (unreadable !== undefined) throw invalid(`root-cert.pem holds a certificate that cannot be read: ${unreadable}`);
  checkSigningCertificate(certificate, key, at);
  checkCertificatePath([certificate, ...chain], trustBundle, at);
  const probe = read("ca-cert.pem", () => parseCertificate(signProbe({ certificate, key })));
  const path = verifyPaths([probe, ...chain], trustBundle, at);
  const above = distinct([certificate, ...path.filter((member) => member !== probe)]);
  const aboveLeaves = distinct([...above, ...chain.filter((member) => member.isCa)]);
  return {
    certificate,
    key,
    chain,
    trustBundle,
    probe,
    nameConstrained: above.filter((member) => member.nameConstraints !== undefined),
    revocation: readRevocation(files, { aboveLeaves, roots: trustBundle.authorities }),
    notAfterLimit: new Date(Math.min(...above.map((member) => member.notAfter.getTime()))),
  };
}

function checkSigningCertificate(certificate: Certificate, key: KeyPair, at: Date): void {
  if (Buffer.compare(certificate.spki, key.spki) !== 0) throw invalid("ca-key.pem is not the key of ca-cert.pem");
  if (!certificate.isCa) throw invalid("ca-cert.pem is not a CA certificate");
  // RFC 5280 section 6.1.4 (n): without the extension there is no such limit.
  if (certificate.keyUsage?.has("keyCertSign") === false) throw invalid("ca-cert.pem may not sign certificates");
  const { notBefore, notAfter } = certificate;
  if (notAfter < at) throw invalid(`ca-cert.pem expired at ${notAfter.toISOString()}`);
  if (notBefore > at) throw invalid(`ca-cert.pem is not valid before ${notBefore.toISOString()}`);
}

function readRevocation({ crlPem = "" }: CaFiles, issuers: RevocationIssuers): CaRevocation | undefined {
  return crlPem.trim() === "" ? undefined : read("ca-crl.pem", () => openRevocation(crlPem, issuers));
}

function distinct(certificates: readonly Certificate[]): readonly Certificate[] {
  return [...new Map(certificates.map((certificate) => [certificate.der.toHex(), certificate])).values()];
}

/** The signing certificate itself: what it signs may lead to a root over another certificate of the same name and key. */
function checkCertificatePath(chain: CertificateChain, { authorities: roots }: TrustBundle, at: Date): void {
  const result = verifyChain({ chain, roots, at });
  if (result.kind === "verified") return;
  throw invalid(`ca-cert.pem does not lead to root-cert.pem over cert-chain.pem: ${result.code}: ${result.detail}`);
}

/** Every certificate on the way to a root (RFC 5280 section 6.1); a leaf serves and calls, so both must be allowed. */
function verifyPaths(chain: CertificateChain, trustBundle: TrustBundle, at: Date): readonly Certificate[] {
  return (["serverAuth", "clientAuth"] as const).flatMap((extendedKeyUsage) => {
    const result = verifyChain({ chain, roots: trustBundle.authorities, at, extendedKeyUsage });
    if (result.kind === "verified") return result.path;
    const detail = `${result.code}: ${result.detail}`;
    throw invalid(`what ca-cert.pem signs does not lead to root-cert.pem over cert-chain.pem: ${detail}`);
  });
}

function read<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof CaError) throw cause;
    throw new CaError("ca-material-invalid", `${file} cannot be used`, { cause });
  }
}

function invalid(message: string): CaError {
  return new CaError("ca-material-invalid", message);
}
