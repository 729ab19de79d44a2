import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import { Crypto as PeculiarCrypto } from "@peculiar/webcrypto";
import * as peculiar from "@peculiar/x509";
import type { KeyPair } from "./key-pair.ts";

/** An extension as the library wants it: OID in dotted form, DER value. */
export interface OddExtension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** A certificate of any shape, for what `signLeaf` and `selfSignRoot` cannot or will not make. */
export interface OddCertificateOptions {
  /** As text, such as "O=cluster.local"; "" is the empty name. */
  readonly subject: string;
  readonly key: KeyPair;
  /** Self-signed if absent; the name is DER. */
  readonly issuer?: { readonly name: Uint8Array; readonly key: KeyPair };
  /** Hexadecimal digits. */
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly OddExtension[];
  /** By default SHA-256, whatever the key. */
  readonly hash?: "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512";
}

/** A CSR of any shape. */
export interface OddCsrOptions {
  readonly subject: string;
  readonly key: KeyPair;
  readonly extensions: readonly OddExtension[];
  readonly hash?: OddCertificateOptions["hash"];
}

/** What the library reads in a certificate or a CSR: a second opinion for tests. */
export interface PeculiarReading {
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly subjectAltNames: readonly { readonly kind: string; readonly value: string }[];
  /** In the order of the certificate. */
  readonly extensions: readonly { readonly oid: string; readonly critical: boolean }[];
}

/** What the library reads in a certificate. */
export interface PeculiarCertificate extends PeculiarReading {
  readonly serialNumber: string;
  readonly issuer: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Returns the DER of a certificate with exactly these parts, made by @peculiar/x509. */
export async function buildOddCertificate(options: OddCertificateOptions): Promise<Uint8Array> {
  const crypto = webCrypto();
  const signer = options.issuer?.key ?? options.key;
  const subject = new peculiar.Name(options.subject);
  const certificate = await peculiar.X509CertificateGenerator.create(
    {
      serialNumber: options.serialNumber,
      subject,
      issuer: options.issuer === undefined ? subject : new peculiar.Name(bufferOf(options.issuer.name)),
      notBefore: options.notBefore,
      notAfter: options.notAfter,
      publicKey: (await cryptoKeys(crypto, options.key, options.hash)).publicKey,
      signingKey: (await cryptoKeys(crypto, signer, options.hash)).privateKey,
      signingAlgorithm: signingAlgorithm(signer, options.hash),
      extensions: options.extensions.map(extensionOf),
    },
    crypto,
  );
  return new Uint8Array(certificate.rawData);
}

/** Returns the PEM of a CSR with exactly these parts, made by @peculiar/x509. */
export async function buildOddCsr(options: OddCsrOptions): Promise<string> {
  const crypto = webCrypto();
  const request = await peculiar.Pkcs10CertificateRequestGenerator.create(
    {
      name: options.subject,
      keys: await cryptoKeys(crypto, options.key, options.hash),
      signingAlgorithm: signingAlgorithm(options.key, options.hash),
      extensions: options.extensions.map(extensionOf),
    },
    crypto,
  );
  return `${request.toString("pem")}\n`;
}

/** Returns what @peculiar/x509 reads in a certificate. */
export function readWithPeculiar(der: Uint8Array): PeculiarCertificate {
  const certificate = new peculiar.X509Certificate(bufferOf(der));
  return {
    ...readingOf(certificate),
    serialNumber: certificate.serialNumber,
    issuer: new Uint8Array(certificate.issuerName.toArrayBuffer()),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
  };
}

/** Returns what @peculiar/x509 reads in a CSR. */
export function readCsrWithPeculiar(pem: string): PeculiarReading {
  return readingOf(new peculiar.Pkcs10CertificateRequest(pem));
}

/** Whether @peculiar/x509 finds the CSR signed by its own key. */
export function verifyCsrWithPeculiar(pem: string): Promise<boolean> {
  return new peculiar.Pkcs10CertificateRequest(pem).verify(webCrypto());
}

/** Whether @peculiar/x509 finds the certificate signed by that key. */
export function verifyWithPeculiar(der: Uint8Array, issuerSpki: Uint8Array): Promise<boolean> {
  const publicKey = new peculiar.PublicKey(bufferOf(issuerSpki));
  return new peculiar.X509Certificate(bufferOf(der)).verify({ publicKey, signatureOnly: true }, webCrypto());
}

function readingOf(from: peculiar.X509Certificate | peculiar.Pkcs10CertificateRequest): PeculiarReading {
  const alternative = from.extensions.find(
    (extension) => extension instanceof peculiar.SubjectAlternativeNameExtension,
  );
  return {
    subject: new Uint8Array(from.subjectName.toArrayBuffer()),
    spki: new Uint8Array(from.publicKey.rawData),
    subjectAltNames: (alternative?.names.items ?? []).map(({ type, value }) => ({
      kind: type === "url" ? "uri" : type,
      value,
    })),
    extensions: Array.from(from.extensions, ({ type, critical }) => ({ oid: type, critical })),
  };
}

function extensionOf({ oid, critical, value }: OddExtension): peculiar.Extension {
  return new peculiar.Extension(oid, critical, bufferOf(value));
}

async function cryptoKeys(
  crypto: Crypto,
  key: KeyPair,
  hash?: OddCertificateOptions["hash"],
): Promise<webcrypto.CryptoKeyPair> {
  const algorithm = importAlgorithm(key, hash);
  const pkcs8 = bufferOf(key.privateKey.export({ format: "der", type: "pkcs8" }));
  return {
    privateKey: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]),
    publicKey: await crypto.subtle.importKey("spki", bufferOf(key.spki), algorithm, true, ["verify"]),
  };
}

type ImportAlgorithm = webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams;

function importAlgorithm({ info }: KeyPair, hash = "SHA-256"): ImportAlgorithm {
  switch (info.kind) {
    case "ec":
      return { name: "ECDSA", namedCurve: info.curve };
    case "rsa":
      return { name: "RSASSA-PKCS1-v1_5", hash };
    case "ed25519":
      return { name: "EdDSA", namedCurve: "Ed25519" };
  }
}

function signingAlgorithm(key: KeyPair, hash = "SHA-256"): webcrypto.EcdsaParams {
  return { ...importAlgorithm(key, hash), hash };
}

function webCrypto(): Crypto {
  return new PeculiarCrypto();
}

/** The library takes buffers, and reads all of the memory behind a view. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
