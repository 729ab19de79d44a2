import { decodeJwtUnverified, JwtError, type JwtErrorCode } from "@signet/jwt";

/** What a token says of itself, without its signature; or why it says nothing. Nothing in it is to be believed. */
export type DecodedToken =
  | {
      readonly kind: "decoded";
      readonly header: Readonly<Record<string, unknown>>;
      readonly claims: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: "unreadable"; readonly reason: JwtErrorCode; readonly detail: string };

/** Takes `token` apart. */
export function decodeToken(token: string): DecodedToken {
  try {
    return { kind: "decoded", ...decodeJwtUnverified(token) };
  } catch (error) {
    if (!(error instanceof JwtError)) throw error;
    return { kind: "unreadable", reason: error.code, detail: error.message };
  }
}

/** The audiences a token is for; none where there are none or the claim is not what it should be. */
export function audiencesOf({ aud }: Readonly<Record<string, unknown>>): readonly string[] {
  if (typeof aud === "string") return [aud];
  return Array.isArray(aud) ? aud.filter((item) => typeof item === "string") : [];
}

/** What a token of the API server is bound to, by its claim `kubernetes.io`; each as people name it. */
export function boundObjects(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const bound = claims["kubernetes.io"];
  if (!isObject(bound)) return [];
  const kinds = [
    ["serviceaccount", "service account"],
    ["pod", "pod"],
    ["secret", "Secret"],
    ["node", "node"],
  ] as const;
  return kinds.flatMap(([member, kind]) => {
    const reference = bound[member];
    if (!isObject(reference) || typeof reference.name !== "string") return [];
    const namespace = kind === "node" || typeof bound.namespace !== "string" ? "" : `${bound.namespace}/`;
    const uid = typeof reference.uid === "string" ? ` (UID ${reference.uid})` : "";
    return [`${kind} ${namespace}${reference.name}${uid}`];
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
