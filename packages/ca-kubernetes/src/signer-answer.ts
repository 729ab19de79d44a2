import { CaError } from "@signet/ca";
import {
  type Certificate,
  type CertificateChain,
  maxChainLength,
  type PublicKeyInfo,
  parseCertificates,
  type SvidTemplate,
  X509Error,
} from "@signet/x509";
import type { SignerRoots } from "./signer-roots.ts";

/** What a signer's last answer says of the signer. */
export type SignerChain = {
  /** What follows the leaf in what goes out. */
  readonly above: readonly Certificate[];
  /** When the first certificate above the leaf ends, up to its root. */
  readonly notAfterLimit: Date;
  /** Of the key that signed. */
  readonly signingKeyInfo: PublicKeyInfo;
};

/** A chain that leads to the signer's root, and whether that root has just become known. */
export type SignerAnswer = {
  readonly chain: CertificateChain;
  readonly signer: SignerChain;
  readonly learned: boolean;
};

/** Longest answer, in characters of base64: eight certificates, and far more than they need. */
const maxAnswerCharacters = 512 * 1024;

/**
 * Returns the chain in a signer's answer: for the template's key, and leading to the signer's root, which is taken off its
 * end, since it goes out with the trust bundle.
 *
 * Whether the leaf says what the template says is checked by whoever asked for it, as for every signing CA.
 * @throws CaError `issued-svid-mismatch`
 */
export function readSignerAnswer(base64: string, template: SvidTemplate, roots: SignerRoots): SignerAnswer {
  const [leaf, ...others] = readCertificates(base64);
  if (leaf === undefined || others.length >= maxChainLength) throw mismatch("signer's answer is too long a chain");
  if (Buffer.compare(leaf.spki, template.spki) !== 0) throw mismatch("signer's certificate is for another public key");
  const { path, learned } = roots.verify([leaf, ...others]);
  const authorities = roots.trustBundle.current()?.authorities ?? [];
  const last = others.at(-1);
  const above =
    last !== undefined && authorities.some((root) => sameBytes(root.der, last.der)) ? others.slice(0, -1) : others;
  const issuer = path[1];
  if (issuer === undefined) throw mismatch("signer's certificate is a root itself");
  const ends = [...above, ...path.slice(1)].map(({ notAfter }) => notAfter.getTime());
  return {
    chain: [leaf, ...above],
    signer: { above, notAfterLimit: new Date(Math.min(...ends)), signingKeyInfo: issuer.publicKeyInfo },
    learned,
  };
}

function readCertificates(base64: string): readonly Certificate[] {
  if (base64.length > maxAnswerCharacters) throw mismatch("signer's answer is too long");
  try {
    return parseCertificates(Buffer.from(Uint8Array.fromBase64(base64)).toString("latin1"));
  } catch (cause) {
    if (cause instanceof X509Error || cause instanceof SyntaxError) {
      throw new CaError("issued-svid-mismatch", "signer's answer holds no certificates that can be read", { cause });
    }
    throw cause;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function mismatch(message: string): CaError {
  return new CaError("issued-svid-mismatch", message);
}
