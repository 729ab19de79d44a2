import { randomBytes } from "node:crypto";
import {
  encodePem,
  generateKeyPair,
  parseCertificate,
  privateKeyPem,
  randomSerialNumber,
  type SubjectAltName,
  selfSignRoot,
  signLeaf,
} from "@signet/x509";

/** A certificate and its key. */
export type ServerCertificate = { readonly certificatePem: string; readonly privateKeyPem: string };

/** The authority that servers on this machine, and their clients, have their certificates from. */
export interface ServerAuthority {
  readonly certificatePem: string;
  /** A leaf for servers and clients, valid for a day. */
  issue(names: readonly SubjectAltName[], commonName?: string): Promise<ServerCertificate>;
}

const hourMs = 3_600_000;

/** A new root with a P-256 key. */
export async function createServerAuthority(organization: string): Promise<ServerAuthority> {
  const notBefore = new Date(Date.now() - hourMs);
  const notAfter = new Date(Date.now() + 24 * hourMs);
  const key = await generateKeyPair("P-256");
  const serialNumber = () => randomSerialNumber(randomBytes);
  const root = await selfSignRoot({ key, organization, notBefore, notAfter, serialNumber: serialNumber() });
  const issuer = { certificate: parseCertificate(root), key };
  return {
    certificatePem: encodePem("CERTIFICATE", root),
    async issue(subjectAltNames, commonName) {
      const leafKey = await generateKeyPair("P-256");
      const named = commonName === undefined ? {} : { commonName };
      const template = { spki: leafKey.spki, subjectAltNames, ...named, notBefore, notAfter };
      const leaf = signLeaf({ template, issuer, serialNumber: serialNumber() });
      return { certificatePem: encodePem("CERTIFICATE", leaf), privateKeyPem: privateKeyPem(leafKey, "traditional") };
    },
  };
}
