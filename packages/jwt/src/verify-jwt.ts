import type { Clock } from "@signet/runtime";
import { isJwtAlgorithm, type JwtAlgorithm } from "./algorithms.ts";
import { checkClaims } from "./check-claims.ts";
import { type JwtClaims, type JwtHeader, parseCompactToken } from "./compact-token.ts";
import { JwtError, type JwtRejected, type JwtRejectionCode, quote, rejected } from "./errors.ts";
import type { TrustedIssuer } from "./issuer.ts";
import { verifySignature } from "./verification-key.ts";
import { createVerifiedTokens, digestOf, type VerifiedToken } from "./verified-tokens.ts";

/** A good token. Its claims are frozen, since the next call with the same token may be given the same object. */
type VerifiedJwt = {
  readonly kind: "verified";
  readonly issuer: string;
  readonly subject: string;
  readonly claims: JwtClaims;
};

/** What became of a token. `detail` is for logs: it names claims of the token, never the token. */
export type JwtResult =
  | VerifiedJwt
  | { readonly kind: "rejected"; readonly code: JwtRejectionCode; readonly detail: string }
  /** The keys cannot be had now: the token may be good, ask again later. */
  | { readonly kind: "unavailable"; readonly code: "keys-unavailable"; readonly detail: string };

/** Verifies tokens of a fixed set of issuers. */
export interface JwtVerifier {
  /** What became of `token`, a JWS in compact form without the "Bearer " before it. Rejects only with the reason of `signal`. */
  verify(token: string, signal: AbortSignal): Promise<JwtResult>;
}

/** Clock skew that most deployments of Istio and Envoy live with, in seconds. */
export const defaultClockSkewSeconds = 60;

/** Largest clock skew, in seconds: more would not be a skew but a longer life for every token. */
export const maxClockSkewSeconds = 3600;

/** How many verified tokens are remembered: those of the workloads that come again while their token lasts. */
const maxRememberedTokens = 2_048;

type KnownIssuer = { readonly trusted: TrustedIssuer; readonly audiences: ReadonlySet<string> };

/** What the text of a token with a good signature decides for good. */
type SignedToken = {
  readonly digest: string;
  readonly header: CheckedHeader;
  readonly issuer: KnownIssuer;
  readonly result: VerifiedJwt;
};

/**
 * Returns a verifier that accepts exactly the tokens which one of `issuers` signed for one of its audiences.
 *
 * Asymmetric algorithms only, each bound to its type of key; `exp` and `sub` required; `crit` refused (no extension is
 * understood here, RFC 7515 section 4.1.11); keys named or carried by the token itself (`jku`, `jwk`, `x5u`, `x5c`) are
 * never read. An unknown issuer is refused before its name could cause any traffic.
 *
 * A signature that was good is not verified again for as long as its key is among the issuer's, for the last 2,048 tokens
 * of at most 4,096 characters; they are remembered by their SHA-256. Times and keys are looked at each time.
 * @throws JwtError `clock-skew-invalid` outside 0 to 3600 s; `issuer-invalid` when an issuer is given twice, has no audience, or has another issuer's keys
 * @example
 * ```ts
 * import { createJwksSource, createJwtVerifier } from "@signet/jwt";
 * import { systemClock } from "@signet/runtime";
 * const issuer = "https://issuer.example";
 * const keys = createJwksSource({ issuer }, { clock: systemClock, random: Math.random });
 * const verifier = createJwtVerifier(
 *   { issuers: [{ issuer, audiences: ["istio-ca"], keys }], clockSkewSeconds: 60 },
 *   systemClock,
 * );
 * const result = await verifier.verify("header.claims.signature", AbortSignal.timeout(5000));
 * if (result.kind === "verified") result.subject;
 * ```
 */
export function createJwtVerifier(
  options: { readonly issuers: readonly TrustedIssuer[]; readonly clockSkewSeconds: number },
  clock: Clock,
): JwtVerifier {
  const { clockSkewSeconds } = options;
  if (!(clockSkewSeconds >= 0 && clockSkewSeconds <= maxClockSkewSeconds)) {
    throw new JwtError(
      "clock-skew-invalid",
      `clock skew ${clockSkewSeconds}s is not within 0 and ${maxClockSkewSeconds}s`,
    );
  }
  return new Verifier(indexIssuers(options.issuers), clockSkewSeconds, clock);
}

class Verifier implements JwtVerifier {
  readonly #issuers: ReadonlyMap<string, KnownIssuer>;
  readonly #clockSkewSeconds: number;
  readonly #clock: Clock;
  readonly #remembered = createVerifiedTokens<SignedToken>(maxRememberedTokens);

  constructor(issuers: ReadonlyMap<string, KnownIssuer>, clockSkewSeconds: number, clock: Clock) {
    this.#issuers = issuers;
    this.#clockSkewSeconds = clockSkewSeconds;
    this.#clock = clock;
  }

  verify(token: string, signal: AbortSignal): Promise<JwtResult> {
    const digest = digestOf(token);
    const known = digest === undefined ? undefined : this.#remembered.get(digest);
    return known === undefined ? this.#verifyAnew(token, digest, signal) : this.#verifyAgain(token, known, signal);
  }

  /** Everything but the signature: times and keys may have changed since it was found good. */
  async #verifyAgain(token: string, known: VerifiedToken<SignedToken>, signal: AbortSignal): Promise<JwtResult> {
    const { digest, header, issuer, result } = known.about;
    const accepted = this.#checkClaims(result.claims, issuer);
    const lookup = accepted.kind === "rejected" ? accepted : await issuer.trusted.keys.find(header, signal);
    if (lookup.kind === "found" && lookup.keys.includes(known.key)) return result;
    this.#remembered.forget(digest);
    return lookup.kind === "found" ? await this.#verifyAnew(token, digest, signal) : lookup;
  }

  async #verifyAnew(token: string, digest: string | undefined, signal: AbortSignal): Promise<JwtResult> {
    const parsed = parseCompactToken(token);
    if (parsed.kind === "rejected") return parsed;
    const header = checkHeader(parsed.header);
    if (header.kind === "rejected") return header;
    const known = findIssuer(this.#issuers, parsed.claims.iss);
    if (known.kind === "rejected") return known;
    const { issuer } = known;
    const accepted = this.#checkClaims(parsed.claims, issuer);
    if (accepted.kind === "rejected") return accepted;
    const lookup = await issuer.trusted.keys.find(header, signal);
    if (lookup.kind !== "found") return lookup;
    const key = lookup.keys.find((candidate) => verifySignature(candidate, header.alg, parsed));
    if (key === undefined) {
      return rejected("signature-invalid", `signature is not by a key of issuer ${quote(issuer.trusted.issuer)}`);
    }
    const result = verified(issuer, accepted.subject, parsed.claims);
    if (digest !== undefined) this.#remembered.add(digest, { key, about: { digest, header, issuer, result } });
    return result;
  }

  #checkClaims(claims: JwtClaims, { audiences }: KnownIssuer): ReturnType<typeof checkClaims> {
    const nowSeconds = this.#clock.now().getTime() / 1000;
    return checkClaims(claims, { audiences, clockSkewSeconds: this.#clockSkewSeconds, nowSeconds });
  }
}

function verified({ trusted }: KnownIssuer, subject: string, claims: JwtClaims): VerifiedJwt {
  return Object.freeze({ kind: "verified", issuer: trusted.issuer, subject, claims: frozen(claims) });
}

/** Frozen at every depth; JSON that was parsed is a tree, at most as deep as its parser allows. */
function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === "object" && member !== null) frozen(member);
  }
  return Object.freeze(value);
}

function indexIssuers(issuers: readonly TrustedIssuer[]): ReadonlyMap<string, KnownIssuer> {
  const known = new Map<string, KnownIssuer>();
  for (const trusted of issuers) {
    const name = quote(trusted.issuer);
    if (trusted.issuer === "") throw new JwtError("issuer-invalid", "an issuer has no name");
    if (known.has(trusted.issuer)) throw new JwtError("issuer-invalid", `issuer ${name} is given twice`);
    if (trusted.audiences.length === 0) throw new JwtError("issuer-invalid", `issuer ${name} has no audience`);
    if (trusted.keys.issuer !== trusted.issuer) {
      throw new JwtError("issuer-invalid", `issuer ${name} has the keys of issuer ${quote(trusted.keys.issuer)}`);
    }
    known.set(trusted.issuer, { trusted, audiences: new Set(trusted.audiences) });
  }
  return known;
}

type CheckedHeader = { readonly kind: "header"; readonly alg: JwtAlgorithm; readonly kid?: string };

function checkHeader(header: JwtHeader): CheckedHeader | JwtRejected {
  const { alg, kid } = header;
  if (header.crit !== undefined) {
    return rejected("critical-header-unsupported", "header parameter crit names extensions, and none is supported");
  }
  if (typeof alg !== "string") return rejected("token-malformed", "header parameter alg is missing or not a string");
  if (!isJwtAlgorithm(alg)) return rejected("algorithm-not-allowed", `algorithm ${quote(alg)} is not allowed`);
  if (kid === undefined) return { kind: "header", alg };
  if (typeof kid !== "string") return rejected("token-malformed", "header parameter kid is not a string");
  return { kind: "header", alg, kid };
}

type FoundIssuer = { readonly kind: "issuer"; readonly issuer: KnownIssuer } | JwtRejected;

function findIssuer(issuers: ReadonlyMap<string, KnownIssuer>, iss: unknown): FoundIssuer {
  if (iss === undefined) return rejected("issuer-unknown", "claim iss is missing");
  if (typeof iss !== "string") return rejected("token-malformed", "claim iss is not a string");
  const issuer = issuers.get(iss);
  return issuer === undefined
    ? rejected("issuer-unknown", `issuer ${quote(iss)} is not trusted`)
    : { kind: "issuer", issuer };
}
