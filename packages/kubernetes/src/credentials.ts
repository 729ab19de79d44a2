import { type Clock, errorMessage, readFileCapped } from "@signet/runtime";
import { KubernetesError } from "./errors.ts";

/** What a connection is made and a request is sent with. */
export type ClusterCredentials = {
  /** Whom to trust; without it those that the system trusts. */
  readonly caPem?: string;
  readonly certificatePem?: string;
  readonly keyPem?: string;
  readonly token?: string;
};

/** Credentials as they are now. */
export interface CredentialSource {
  /** Those to use; rejects with `KubernetesError` `config-invalid` or `unavailable`. */
  current(signal: AbortSignal): Promise<ClusterCredentials>;
  /** Others than `refused`, which the server did not accept; undefined when there are none. */
  renewed(refused: ClusterCredentials, signal: AbortSignal): Promise<ClusterCredentials | undefined>;
}

/** Where one part of the credentials comes from. */
export type CredentialPart = { readonly text: string } | { readonly path: string };

/** Where credentials come from when no program has to be asked. */
export type CredentialParts = {
  readonly ca?: CredentialPart;
  readonly certificate?: CredentialPart;
  readonly key?: CredentialPart;
  readonly token?: CredentialPart;
};

const maxPartBytes = 1024 * 1024;
const readAgainAfterMs = 10_000;

/**
 * Credentials in files and text. Files are read again every 10 seconds while they are used, and at once after a refusal: the
 * token of a pod is replaced while it runs. While a file cannot be read what it last held is used.
 */
export function createCredentialSource(parts: CredentialParts, clock: Clock): CredentialSource {
  const inFiles = Object.values(parts).some((part) => "path" in part);
  let latest: { readonly credentials: ClusterCredentials; readonly readAtMs: number } | undefined;
  let reading: Promise<ClusterCredentials> | undefined;

  async function read(): Promise<ClusterCredentials> {
    reading ??= readParts(parts)
      .catch((error: unknown) => {
        if (latest === undefined) throw error;
        return latest.credentials;
      })
      .then((credentials) => {
        // The same object as long as nothing changes.
        const kept = latest !== undefined && isSame(latest.credentials, credentials) ? latest.credentials : credentials;
        latest = { credentials: kept, readAtMs: clock.now().getTime() };
        return kept;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  }

  return {
    async current() {
      if (latest === undefined) return read();
      const age = Math.abs(clock.now().getTime() - latest.readAtMs);
      return inFiles && age >= readAgainAfterMs ? read() : latest.credentials;
    },
    async renewed(refused) {
      if (!inFiles) return undefined;
      // Someone else may have read them again since this request took its own.
      const now = latest !== undefined && latest.credentials !== refused ? latest.credentials : await read();
      return now === refused ? undefined : now;
    },
  };
}

async function readParts(parts: CredentialParts): Promise<ClusterCredentials> {
  const [ca, certificate, key, token] = await Promise.all(
    [parts.ca, parts.certificate, parts.key, parts.token].map((part) => part && readPart(part)),
  );
  return {
    ...(ca === undefined ? {} : { caPem: ca }),
    ...(certificate === undefined ? {} : { certificatePem: certificate }),
    ...(key === undefined ? {} : { keyPem: key }),
    ...(token === undefined ? {} : { token: checkToken(token) }),
  };
}

async function readPart(part: CredentialPart): Promise<string> {
  if ("text" in part) return part.text;
  try {
    return (await readFileCapped(part.path, maxPartBytes)).toString("utf8");
  } catch (error) {
    throw new KubernetesError("config-invalid", `credentials of the cluster: ${errorMessage(error)}`, { cause: error });
  }
}

/** A token without the white space around it; anything else that cannot stand in a header is refused. */
export function checkToken(text: string): string {
  const token = text.trim();
  if (!/^[\x21-\x7e]+$/.test(token)) throw new KubernetesError("config-invalid", "the cluster's token is not a token");
  return token;
}

/** Whether two sets of credentials are the same. */
export function isSame(one: ClusterCredentials, other: ClusterCredentials): boolean {
  return (
    one.caPem === other.caPem &&
    one.certificatePem === other.certificatePem &&
    one.keyPem === other.keyPem &&
    one.token === other.token
  );
}
