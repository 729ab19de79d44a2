import type { AuthenticationReason } from "@signet/ca";
import { maxTokenBytes } from "@signet/jwt";

/** Whose token it is, and the pod that it lives and dies with. */
export type TokenHolder = {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podName?: string;
  readonly podUid?: string;
  readonly nodeName?: string;
};

/** What one cluster says of a token; `cause` is for logs and never holds the token. */
export type TokenVerdict =
  | { readonly kind: "known"; readonly holder: TokenHolder }
  | { readonly kind: "rejected"; readonly reason: AuthenticationReason; readonly cause: unknown }
  | { readonly kind: "unavailable"; readonly reason: AuthenticationReason; readonly cause: unknown };

/** Says whose a service account token is, for one cluster. */
export interface TokenChecker {
  /**
   * Expected outcomes are returned; rejects only with the reason of `signal`. `peerAddress` is that of who shows the token,
   * `host:port`: where there is room for few, no host may take it all.
   */
  check(token: string, peerAddress: string, signal: AbortSignal): Promise<TokenVerdict>;
}

/** Returns why `token` cannot be one, before anybody is asked about it; undefined when it can. */
export function tokenDefect(token: string): Extract<TokenVerdict, { kind: "rejected" }> | undefined {
  if (token.length > maxTokenBytes) {
    const cause = `token of ${token.length} characters exceeds ${maxTokenBytes}`;
    return { kind: "rejected", reason: "token-too-large", cause };
  }
  // RFC 6750 section 2.1. Nothing else is sent on to an API server.
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    return { kind: "rejected", reason: "token-malformed", cause: "token has characters that no token has" };
  }
  return undefined;
}
