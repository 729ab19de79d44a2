import { Status, StatusError } from "@signet/grpc";
import type { Source } from "@signet/runtime";
import { parseSecretName } from "./secret-names.ts";
import { type SecretResponse, type SecretSnapshot, secretTypeUrl } from "./secret-stream.ts";

/** What a unary request asks for. */
export type FetchRequest = { readonly typeUrl: string; readonly resourceNames: readonly string[] };

/**
 * The answer to a unary SDS request: all the secrets it names, as they are now.
 *
 * All or nothing, for such a client hears of no later change: one name that nothing here has is NOT_FOUND, one without
 * material yet is UNAVAILABLE, which clients try again. No names, or another type, are INVALID_ARGUMENT.
 * @throws StatusError
 */
export function fetchSecrets(snapshots: Source<SecretSnapshot>, request: FetchRequest): Omit<SecretResponse, "nonce"> {
  if (request.typeUrl !== "" && request.typeUrl !== secretTypeUrl) {
    throw new StatusError(Status.INVALID_ARGUMENT, "only secrets are served here");
  }
  const wanted = [...new Set(request.resourceNames)];
  if (wanted.length === 0) throw new StatusError(Status.INVALID_ARGUMENT, "no secret is named");
  const names = wanted.map((name) => {
    const known = parseSecretName(name);
    if (known === undefined) throw new StatusError(Status.NOT_FOUND, "there is no secret of such a name");
    return known;
  });
  const snapshot = snapshots.current();
  const resources = names.map((name) => {
    const secret = snapshot?.secrets.get(name);
    if (secret === undefined) throw new StatusError(Status.UNAVAILABLE, "the secret is not ready yet");
    return secret.resource;
  });
  return { versionInfo: snapshot?.version ?? "", names, resources };
}
