import type { RequestAuthErrorCode } from "./errors.ts";
import type { HeaderValues, RequestToAuthenticate } from "./extract-token.ts";

/** Most characters of the path that are repeated. */
const maxPathLength = 256;

/**
 * The challenge for a request that was refused (RFC 6750 section 3), with the realm that Envoy names: the address that was
 * asked for, by `x-envoy-original-path` where a proxy has rewritten the path. No error for a request without a token:
 * section 3.1 wants none for one that did not try.
 */
export function wwwAuthenticate(
  { scheme, host, path }: RequestToAuthenticate,
  headers: HeaderValues,
  code: RequestAuthErrorCode,
): string {
  const original = headers.get("x-envoy-original-path")?.[0] ?? path;
  const uri = `${scheme}://${host}${original.slice(0, maxPathLength)}`;
  const challenge = `Bearer realm="${visible(uri)}"`;
  return code === "token-missing" ? challenge : `${challenge}, error="invalid_token"`;
}

/** Without control characters: a request that holds some must not write headers of the answer. */
function visible(text: string): string {
  let clean = "";
  for (const character of text) if (character >= " " && character !== "\x7f") clean += character;
  return clean;
}
