import { KubernetesError } from "./errors.ts";
import type { JsonCalls } from "./json-calls.ts";
import type { IssuedToken, TokenRequest, TokenReviewRequest, TokenReviewStatus, TokenUser } from "./kubernetes-api.ts";
import { objectPath } from "./object-path.ts";
import { resources } from "./resources.ts";
import { isRecord } from "./shape.ts";

const apiVersion = "authentication.k8s.io/v1";
const maxErrorLength = 200;

/** Asks whose token that is. */
export async function reviewToken(
  calls: JsonCalls,
  request: TokenReviewRequest,
  signal: AbortSignal,
): Promise<TokenReviewStatus> {
  const { token, audiences } = request;
  const body = { apiVersion, kind: "TokenReview", spec: { token, audiences } };
  const path = `/apis/${apiVersion}/tokenreviews`;
  const answer = await calls.json({ method: "POST", path, body, secret: true, repeatable: true }, signal);
  return parseReview(answer, token);
}

/** Has a token made. */
export async function requestToken(calls: JsonCalls, request: TokenRequest, signal: AbortSignal): Promise<IssuedToken> {
  const { namespace, serviceAccount, audiences, expirationSeconds, boundPod } = request;
  const boundObjectRef =
    boundPod === undefined ? {} : { boundObjectRef: { apiVersion: "v1", kind: "Pod", ...boundPod } };
  const body = { apiVersion, kind: "TokenRequest", spec: { audiences, expirationSeconds, ...boundObjectRef } };
  const path = objectPath(resources.serviceAccounts, { namespace, name: serviceAccount }, "token");
  const answer = await calls.json({ method: "POST", path, body }, signal);
  const status = isRecord(answer) && isRecord(answer.status) ? answer.status : {};
  const { token, expirationTimestamp } = status;
  const expiresAt = new Date(typeof expirationTimestamp === "string" ? expirationTimestamp : Number.NaN);
  if (typeof token !== "string" || token === "" || Number.isNaN(expiresAt.getTime())) {
    throw malformed("a TokenRequest has no token or no expiry");
  }
  return { token, expiresAt };
}

function parseReview(answer: unknown, token: string): TokenReviewStatus {
  const status = isRecord(answer) && answer.kind === "TokenReview" ? answer.status : undefined;
  if (!isRecord(status)) throw malformed("a TokenReview has no status");
  const { authenticated = false, error, user } = status;
  if (typeof authenticated !== "boolean") throw malformed("a TokenReview does not say whether it is authenticated");
  return {
    authenticated,
    audiences: strings(status.audiences, "audiences"),
    ...(typeof error === "string" && error !== "" ? { error: withoutToken(error, token) } : {}),
    // A token that is refused has an empty user.
    ...(isRecord(user) && authenticated ? { user: parseUser(user) } : {}),
  };
}

function parseUser({ username, uid = "", groups, extra }: Record<string, unknown>): TokenUser {
  if (typeof username !== "string" || typeof uid !== "string") throw malformed("a TokenReview has no username");
  const entries = Object.entries(isRecord(extra) ? extra : {});
  return {
    username,
    uid,
    groups: strings(groups, "groups"),
    extra: new Map(entries.map(([name, values]) => [name, strings(values, "extra")])),
  };
}

function strings(value: unknown, field: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw malformed(`the ${field} of a TokenReview are not a list of text`);
  }
  return value;
}

/** The server's words, unless they repeat a part of the token. */
function withoutToken(error: string, token: string): string {
  const parts = token.split(/[.\s]/).filter((part) => part.length >= 8);
  if (parts.some((part) => error.includes(part))) return "the API server's reason repeats the token";
  return error.length > maxErrorLength ? `${error.slice(0, maxErrorLength)}...` : error;
}

function malformed(message: string): KubernetesError {
  return new KubernetesError("response-malformed", message);
}
