import type { RequestAuthProfile } from "./profile.ts";

/** How requests are judged beside their rules. Everything is off, and the profile "istio", unless it says otherwise. */
export type RequestAuthOptions = {
  readonly profile?: RequestAuthProfile;
  /**
   * Refuses a request without a token with 401 "Jwt is missing", also where there is no rule at all, which Istio leaves to
   * policies and their 403. A CORS preflight, which cannot carry one, is still let through.
   */
  readonly require?: boolean;
  /**
   * Takes a credential that has not the form of a JWT, three parts between dots, for no token: the request is as one without it,
   * and the credential stays on it. Istio refuses such a request. One that has the form is judged, whatever is in its parts.
   */
  readonly passOpaqueTokens?: boolean;
  /** Lets `outputClaimToHeaders` name a claim as `[https://shop.example/team][lead]`, the names between brackets as they are, dots and all. */
  readonly bracketedClaims?: boolean;
  /**
   * Publishes numbers and booleans, at any depth, as their JSON text, so that the values of a policy, which are text, match them:
   * `values: ["true"]` a claim `true`. Integers beyond 2^53 stay numbers: two of them may look the same.
   */
  readonly typedClaims?: boolean;
  /**
   * Verifies every token of a request that holds several, refuses it unless each is good, and publishes all their payloads, by issuer.
   * Istio publishes the first by issuer, and may not look at the others.
   */
  readonly publishAllPayloads?: boolean;
  /**
   * The algorithms that tokens may have, instead of the profile's own: fewer, or in profile "istio" also "Ed25519", "ML-DSA-44",
   * "ML-DSA-65" and "ML-DSA-87", which Envoy does not know. Symmetric ones never count in profile "strict".
   */
  readonly algorithms?: readonly string[];
  /**
   * How many verified tokens are remembered, by their SHA-256, once they come the second time, so that their signature is not
   * verified again while their key is the issuer's; default 1,024, 0 for none.
   */
  readonly maxRememberedTokens?: number;
};
