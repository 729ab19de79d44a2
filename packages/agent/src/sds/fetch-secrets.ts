import { Status, StatusError } from "@signet/grpc";
import type { Source } from "@signet/runtime";
import type { FileSecrets } from "./file-secrets.ts";
import { parseSecretName } from "./secret-names.ts";
import { type SecretResponse, type SecretSnapshot, secretTypeUrl } from "./secret-stream.ts";

/** What a unary request asks for. */
export type FetchRequest = { readonly typeUrl: string; readonly resourceNames: readonly string[] };

export type FetchOptions = {
  readonly snapshots: Source<SecretSnapshot>;
  readonly files: Pick<FileSecrets, "follow" | "settled">;
  /** Names this request among those who follow secrets. */
  readonly id: string;
};

/**
 * The answer to a unary SDS request: all the secrets it names, as they are now.
 *
 * All or nothing, for such a client hears of no later change: one name that nothing here has is NOT_FOUND, one without
 * material yet is UNAVAILABLE, which clients try again. No names, or another type, are INVALID_ARGUMENT.
 * @throws StatusError
 */
export async function fetchSecrets(
  { snapshots, files, id }: FetchOptions,
  request: FetchRequest,
): Promise<Omit<SecretResponse, "nonce">> {
  if (request.typeUrl !== "" && request.typeUrl !== secretTypeUrl) {
    throw new StatusError(Status.INVALID_ARGUMENT, "only secrets are served here");
  }
  const names = [...new Set(request.resourceNames)];
  if (names.length === 0) throw new StatusError(Status.INVALID_ARGUMENT, "no secret is named");
  if (names.some((name) => parseSecretName(name) === undefined)) {
    throw new StatusError(Status.NOT_FOUND, "there is no secret of such a name");
  }
  files.follow(id, names);
  try {
    await files.settled(names);
    const snapshot = snapshots.current();
    const resources = names.map((name) => {
      const secret = snapshot?.secrets.get(name);
      if (secret === undefined) throw new StatusError(Status.UNAVAILABLE, "the secret is not ready yet");
      return secret.resource;
    });
    return { versionInfo: snapshot?.version ?? "", names, resources };
  } finally {
    files.follow(id, []);
  }
}
