import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { systemClock } from "@signet/runtime";
import type { JwtClaims } from "./compact-token.ts";
import type { JwksSource, KeyLookup } from "./issuer.ts";
import { selectKeys } from "./select-keys.ts";
import { publicJwk, type SigningAlgorithm, signJwt } from "./sign-jwt.ts";
import { createVerificationKey, type VerificationKey } from "./verification-key.ts";

/** A `JwksSource` without network: what it finds is what it was given. */
export interface FakeJwksSource extends JwksSource {
  /** Replaces the keys; an outage ends. */
  setKeys(keys: readonly VerificationKey[]): void;
  /** Answers every lookup `unavailable` until `setKeys`. */
  fail(detail: string): void;
}

/** Returns a `JwksSource` with fixed keys and no network; its task just waits for its signal. */
export function fakeJwksSource(options: {
  readonly issuer: string;
  readonly keys?: readonly VerificationKey[];
}): FakeJwksSource {
  let keys = options.keys ?? [];
  let outage: string | undefined;
  return {
    issuer: options.issuer,
    async find(header, signal): Promise<KeyLookup> {
      signal.throwIfAborted();
      if (outage !== undefined) return { kind: "unavailable", code: "keys-unavailable", detail: outage };
      return selectKeys(keys, header);
    },
    findNow: (header) => (outage === undefined ? selectKeys(keys, header) : undefined),
    task: {
      name: `jwks ${options.issuer}`,
      run: (signal) =>
        new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          signal.addEventListener("abort", () => resolve(), { once: true });
        }),
    },
    status: () => ({
      keyCount: outage === undefined ? keys.length : 0,
      ...(outage === undefined ? {} : { lastError: outage }),
    }),
    setKeys: (next) => {
      keys = next;
      outage = undefined;
    },
    fail: (detail) => {
      outage = detail;
    },
  };
}

/** An issuer in memory. */
export interface TestIssuer {
  readonly issuer: string;
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The issuer's keys, without network. */
  readonly keys: FakeJwksSource;
  /** The JWKS document. */
  readonly jwks: string;
  /**
   * A token signed by the issuer. Unless `claims` say otherwise: `iss`, `aud: ["istio-ca"]`,
   * `sub: "system:serviceaccount:demo:frontend"`, issued now, for one hour. A claim that is undefined is left out.
   */
  sign(claims?: JwtClaims): string;
}

const keyPairs = new Map<string, KeyObject>();

/** One private key per name and process, so that a suite pays for RSA once. */
export function testSigningKey(alg: SigningAlgorithm, name: string): KeyObject {
  const cacheKey = `${alg} ${name}`;
  const key = keyPairs.get(cacheKey) ?? generateKey(alg);
  keyPairs.set(cacheKey, key);
  return key;
}

function generateKey(alg: SigningAlgorithm): KeyObject {
  switch (alg) {
    case "RS256":
      return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    case "EdDSA":
      return generateKeyPairSync("ed25519").privateKey;
  }
}

/**
 * Returns an issuer that signs tokens and yields its keys without network.
 *
 * ES256 and key id "test" unless said otherwise; the same issuer, algorithm and key id give the same key in one process.
 * @example
 * ```ts
 * import { createJwtVerifier } from "@signet/jwt";
 * import { testIssuer } from "@signet/jwt/testing";
 * import { FakeClock } from "@signet/runtime/testing";
 * const clock = new FakeClock();
 * const { issuer, keys, sign } = testIssuer({ issuer: "https://issuer.example", clock });
 * const verifier = createJwtVerifier(
 *   { issuers: [{ issuer, audiences: ["istio-ca"], keys }], clockSkewSeconds: 60 },
 *   clock,
 * );
 * await verifier.verify(sign({ sub: "system:serviceaccount:demo:backend" }), new AbortController().signal);
 * ```
 */
export function testIssuer(options: {
  readonly issuer: string;
  readonly alg?: SigningAlgorithm;
  readonly kid?: string;
  /** Whose time tokens are issued at; the system clock unless given. */
  readonly clock?: { now(): Date };
}): TestIssuer {
  const { issuer, alg = "ES256", kid = "test", clock = systemClock } = options;
  const privateKey = testSigningKey(alg, `${issuer} ${kid}`);
  const publicKey = createPublicKey(privateKey);
  return {
    issuer,
    kid,
    alg,
    privateKey,
    publicKey,
    keys: fakeJwksSource({ issuer, keys: [createVerificationKey({ key: publicKey, kid, alg })] }),
    jwks: JSON.stringify({ keys: [publicJwk(publicKey, kid, alg)] }),
    sign: (claims = {}) => {
      const now = Math.floor(clock.now().getTime() / 1000);
      const sub = "system:serviceaccount:demo:frontend";
      const defaults = { iss: issuer, sub, aud: ["istio-ca"], iat: now, nbf: now, exp: now + 3600 };
      return signJwt({ claims: { ...defaults, ...claims }, key: privateKey, kid, alg });
    },
  };
}
