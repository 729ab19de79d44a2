import type { RequestToAuthenticate } from "./extract-token.ts";

/** Most characters of the path that are repeated. */
const maxPathLength = 256;

/** The challenge for a request whose token was refused (RFC 6750 section 3), with the realm that Envoy names: the address asked for. */
export function wwwAuthenticate({ scheme, host, path }: RequestToAuthenticate): string {
  const uri = `${scheme}://${host}${path.slice(0, maxPathLength)}`;
  return `Bearer realm="${visible(uri)}", error="invalid_token"`;
}

/** Without control characters: a request that holds some must not write headers of the answer. */
function visible(text: string): string {
  let clean = "";
  for (const character of text) if (character >= " " && character !== "\x7f") clean += character;
  return clean;
}
