import type { JwksSource, KeyLookup } from "./issuer.ts";
import { type Jwks, parseJwks } from "./jwks.ts";
import { selectKeys } from "./select-keys.ts";

/**
 * Returns the keys of one issuer as the JWKS document `jwks` has them, which never change: a `jwks` given in place, or one
 * that somebody brought as a file. Nothing is ever fetched, and its task only waits for its signal.
 * @throws JwtError `jwks-malformed`, `jwks-without-usable-keys`
 * @example
 * ```ts
 * import { createFixedJwks } from "@signet/jwt";
 * const jwks = '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k1"}]}';
 * createFixedJwks({ issuer: "https://issuer.example", jwks }).status().keyCount; // 1
 * ```
 */
export function createFixedJwks({ issuer, jwks }: { readonly issuer: string; readonly jwks: string }): JwksSource {
  const { keys }: Jwks = parseJwks(jwks);
  return {
    issuer,
    async find(header, signal): Promise<KeyLookup> {
      signal.throwIfAborted();
      return selectKeys(keys, header);
    },
    findNow: (header) => selectKeys(keys, header),
    task: { name: `jwks ${issuer}`, run: untilAborted },
    status: () => ({ keyCount: keys.length }),
  };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
