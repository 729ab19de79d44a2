import { errorMessage, readFileCapped } from "@signet/runtime";
import { maxTokenBytes } from "./compact-token.ts";
import { JwtError } from "./errors.ts";

/** Files whose content goes with requests to an issuer; both are read anew for each, since they are replaced in place. */
export type CredentialFiles = {
  /** A bearer token, shown to the issuer alone. */
  readonly bearerTokenFile?: string;
  /** PEM certificates that are trusted instead of the system's. */
  readonly caFile?: string;
};

/** Largest file of certificates, in bytes. */
const maxCaBytes = 1_048_576;

/**
 * The bearer token in `path`, without white space around it.
 * @throws JwtError `credential-unreadable`, which names the file and never its content
 */
export async function readBearerToken(path: string): Promise<string> {
  const token = (await readCredential(path, maxTokenBytes)).trim();
  // RFC 6750 section 2.1; anything else could not be a header, or would be another one.
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    throw new JwtError("credential-unreadable", `${path} does not hold a bearer token`);
  }
  return token;
}

/**
 * The certificates in `path`.
 * @throws JwtError `credential-unreadable`
 */
export async function readTrustedCa(path: string): Promise<string> {
  const pem = await readCredential(path, maxCaBytes);
  // Without a certificate nobody would be trusted, and the message would speak of the issuer's.
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new JwtError("credential-unreadable", `${path} holds no certificate`);
  }
  return pem;
}

async function readCredential(path: string, maxBytes: number): Promise<string> {
  try {
    return (await readFileCapped(path, maxBytes)).toString("latin1");
  } catch (cause) {
    throw new JwtError("credential-unreadable", errorMessage(cause), { cause });
  }
}
