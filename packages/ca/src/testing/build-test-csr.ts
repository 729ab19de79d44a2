import { sign } from "node:crypto";
import { encodePem, type KeyPair, type SubjectAltName } from "@signet/x509";

/** What a test CSR asks for, most of which no honest agent does. */
export type TestCsrOptions = {
  readonly key: KeyPair;
  readonly commonName?: string;
  readonly organization?: string;
  readonly subjectAltNames?: readonly SubjectAltName[];
  /** Asks for basic constraints CA:true and key usage keyCertSign. */
  readonly ca?: boolean;
  /** Signs in the place of `key`, which then is not proven. */
  readonly signedBy?: KeyPair;
  /** Signs an RSA key's CSR over SHA-1. */
  readonly sha1?: boolean;
};

/**
 * Returns a PKCS#10 CSR in PEM with whatever names and extensions a test wants (RFC 2986 section 4).
 *
 * Written with its own few lines of DER, so that it shares no fault with the code under test.
 * @example
 * ```ts
 * import { buildTestCsr } from "@signet/ca/testing";
 * import { generateKeyPair } from "@signet/x509";
 * const pem = buildTestCsr({ key: await generateKeyPair("P-256"), commonName: "admin", ca: true });
 * ```
 */
export function buildTestCsr(options: TestCsrOptions): string {
  const info = sequence(
    tlv(0x02, Buffer.of(0)),
    subjectOf(options),
    Buffer.from(options.key.spki),
    tlv(0xa0, attributesOf(options)),
  );
  const signer = options.signedBy ?? options.key;
  const { algorithm, hash } = signatureOf(signer, options.sha1 ?? false);
  const signature = sign(hash, info, signer.privateKey);
  return encodePem("CERTIFICATE REQUEST", sequence(info, algorithm, tlv(0x03, Buffer.of(0), signature)));
}

function subjectOf({ commonName, organization }: TestCsrOptions): Buffer {
  const rdns: Buffer[] = [];
  if (organization !== undefined) rdns.push(rdn("55040a", organization));
  if (commonName !== undefined) rdns.push(rdn("550403", commonName));
  return sequence(...rdns);
}

function rdn(oid: string, value: string): Buffer {
  return tlv(0x31, sequence(oidOf(oid), tlv(0x0c, Buffer.from(value, "utf8"))));
}

function attributesOf({ subjectAltNames, ca }: TestCsrOptions): Buffer {
  const extensions: Buffer[] = [];
  if (ca) {
    extensions.push(extension("551d13", sequence(tlv(0x01, Buffer.of(0xff)))));
    extensions.push(extension("551d0f", tlv(0x03, Buffer.of(2, 0x04))));
  }
  if (subjectAltNames !== undefined)
    extensions.push(extension("551d11", sequence(...subjectAltNames.map(generalName))));
  if (extensions.length === 0) return Buffer.alloc(0);
  return sequence(oidOf("2a864886f70d01090e"), tlv(0x31, sequence(...extensions)));
}

function extension(oid: string, value: Buffer): Buffer {
  return sequence(oidOf(oid), tlv(0x01, Buffer.of(0xff)), tlv(0x04, value));
}

function generalName(name: SubjectAltName): Buffer {
  switch (name.kind) {
    case "uri":
      return tlv(0x86, Buffer.from(name.value, "latin1"));
    case "dns":
      return tlv(0x82, Buffer.from(name.value, "latin1"));
    case "ip":
      return tlv(0x87, Buffer.from(name.value.split(".").map(Number)));
    case "other":
      return Buffer.from(name.der);
  }
}

function signatureOf({ info }: KeyPair, sha1: boolean): { algorithm: Buffer; hash: string | null } {
  if (info.kind === "ed25519") return { algorithm: sequence(oidOf("2b6570")), hash: null };
  if (sha1) return { algorithm: sequence(oidOf("2a864886f70d010105"), tlv(0x05)), hash: "sha1" };
  if (info.kind === "rsa") return { algorithm: sequence(oidOf("2a864886f70d01010b"), tlv(0x05)), hash: "sha256" };
  const byCurve = {
    "P-256": { oid: "2a8648ce3d040302", hash: "sha256" },
    "P-384": { oid: "2a8648ce3d040303", hash: "sha384" },
    "P-521": { oid: "2a8648ce3d040304", hash: "sha512" },
  } as const;
  const { oid, hash } = byCurve[info.curve];
  return { algorithm: sequence(oidOf(oid)), hash };
}

function oidOf(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, "hex"));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, ...parts);
}

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
}
