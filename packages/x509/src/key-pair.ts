import { createPrivateKey, createPublicKey, generateKeyPair as generate, type KeyObject } from "node:crypto";
import { DerReader } from "./der/der-reader.ts";
import { X509Error } from "./errors.ts";
import { nextPemBlock } from "./pem.ts";
import { type PublicKeyInfo, readSpki } from "./public-key.ts";
import { signBytes, signingAlgorithmOf, verifyBytes } from "./signature-algorithm.ts";

/** The keys this package makes. */
export type KeyType = "P-256" | "P-384" | "P-521" | "RSA-2048" | "RSA-3072" | "RSA-4096" | "Ed25519";

/** A private key with its public half; `spki` is the DER SubjectPublicKeyInfo. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly spki: Uint8Array;
  readonly info: PublicKeyInfo;
}

/** What the labels of private keys promise. */
const forms = new Map<string, { readonly type: "sec1" | "pkcs1" | "pkcs8"; readonly keyType?: "ec" | "rsa" }>([
  ["EC PRIVATE KEY", { type: "sec1", keyType: "ec" }],
  ["RSA PRIVATE KEY", { type: "pkcs1", keyType: "rsa" }],
  ["PRIVATE KEY", { type: "pkcs8" }],
]);

/** Longest private key text, in characters: an RSA key of 8192 bits takes a tenth of it. */
const maxPrivateKeyCharacters = 65536;

/**
 * Returns a new key pair, made on the thread pool; RSA-2048 takes 50 to 150 ms of one core.
 * @example
 * ```ts
 * import { generateKeyPair } from "@signet/x509";
 * const key = await generateKeyPair("P-256");
 * ```
 */
export function generateKeyPair(type: KeyType): Promise<KeyPair> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _publicKey: KeyObject, privateKey: KeyObject): void => {
      if (error === null) {
        resolve(keyPairOf(privateKey));
      } else {
        reject(error);
      }
    };
    switch (type) {
      case "Ed25519":
        generate("ed25519", done);
        break;
      case "RSA-2048":
      case "RSA-3072":
      case "RSA-4096":
        generate("rsa", { modulusLength: Number(type.slice("RSA-".length)) }, done);
        break;
      default:
        generate("ec", { namedCurve: type }, done);
    }
  });
}

/**
 * Returns the key pair of the first PEM block of `pem`: SEC1 ("EC PRIVATE KEY"), PKCS#1 ("RSA PRIVATE KEY") or PKCS#8
 * ("PRIVATE KEY").
 *
 * Encrypted keys are refused, and so is a leading "EC PARAMETERS" block, as Istio does. The two halves are tried on each
 * other, so a public key stored beside a private key that is not its own does not go unnoticed.
 * @throws X509Error `private-key-malformed`, `key-unsupported`
 * @example
 * ```ts
 * import { generateKeyPair, parsePrivateKey, privateKeyPem } from "@signet/x509";
 * const pem = privateKeyPem(await generateKeyPair("P-256"), "pkcs8");
 * const key = parsePrivateKey(pem);
 * ```
 */
export function parsePrivateKey(pem: string): KeyPair {
  const key = keyPairOf(importPrivateKey(pem));
  if (!halvesMatch(key)) {
    throw new X509Error("private-key-malformed", "private key does not belong to the public key stored with it");
  }
  return key;
}

/**
 * Returns the private key as PEM text: "EC PRIVATE KEY" or "RSA PRIVATE KEY" when "traditional", else "PRIVATE KEY".
 * Ed25519 has no traditional form and is written as PKCS#8.
 * @example
 * ```ts
 * import { generateKeyPair, privateKeyPem } from "@signet/x509";
 * privateKeyPem(await generateKeyPair("P-256"), "traditional"); // "-----BEGIN EC PRIVATE KEY-----..."
 * ```
 */
export function privateKeyPem(key: KeyPair, format: "traditional" | "pkcs8"): string {
  const traditional = key.info.kind === "ec" ? "sec1" : key.info.kind === "rsa" ? "pkcs1" : "pkcs8";
  return key.privateKey.export({ format: "pem", type: format === "pkcs8" ? "pkcs8" : traditional }).toString();
}

/**
 * Whether a signature of this key takes so long that it is made on the thread pool: P-384, P-521 and RSA above 2048 bits.
 *
 * RSA-2048 is not among them. It takes 0.2 to 0.3 ms, no longer than the TLS handshake of the call that asks for it, and
 * handing it over costs 5 to 40 percent more; more cores are better used by more processes.
 * @example
 * ```ts
 * import { generateKeyPair, needsThreadPool } from "@signet/x509";
 * needsThreadPool(await generateKeyPair("P-256")); // false
 * ```
 */
export function needsThreadPool({ info }: KeyPair): boolean {
  switch (info.kind) {
    case "ec":
      return info.curve !== "P-256";
    case "rsa":
      return info.bits > 2048;
    case "ed25519":
      return false;
  }
}

function halvesMatch(key: KeyPair): boolean {
  const algorithm = signingAlgorithmOf(key.info);
  try {
    const signature = signBytes(algorithm, key.privateKey, key.spki);
    return verifyBytes(algorithm, { data: key.spki, signature }, key.publicKey);
  } catch {
    return false;
  }
}

function importPrivateKey(pem: string): KeyObject {
  if (pem.length > maxPrivateKeyCharacters) {
    throw new X509Error("private-key-malformed", `private key text exceeds ${maxPrivateKeyCharacters} characters`);
  }
  const { label, der } = firstBlock(pem);
  const form = forms.get(label);
  try {
    const key = createPrivateKey({ key: der, format: "der", type: form?.type ?? "pkcs8" });
    // OpenSSL reads any form of key, whichever it was told.
    if (form?.keyType === undefined || form.keyType === key.asymmetricKeyType) {
      return key;
    }
  } catch {
    // The cause is left out: errors about keys may quote them.
  }
  throw new X509Error("private-key-malformed", `PEM block "${label}" does not hold such a key`);
}

function firstBlock(pem: string): { label: string; der: Uint8Array } {
  try {
    const block = nextPemBlock(pem, 0);
    if (block !== undefined && forms.has(block.label)) {
      return block;
    }
    const found = block === undefined ? "no PEM block" : `PEM block "${block.label}"`;
    throw new X509Error("private-key-malformed", `${found} where an unencrypted private key is expected`);
  } catch (cause) {
    if (cause instanceof X509Error && cause.code === "pem-malformed") {
      throw new X509Error("private-key-malformed", `private key is not PEM or is encrypted: ${cause.message}`);
    }
    throw cause;
  }
}

function keyPairOf(privateKey: KeyObject): KeyPair {
  const publicKey = createPublicKey(privateKey);
  if (publicKey.asymmetricKeyType === "rsa-pss") {
    throw new X509Error("key-unsupported", "RSA-PSS keys are not supported");
  }
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  return { privateKey, publicKey, spki, info: readSpki(new DerReader(spki, "private-key-malformed")) };
}
