/** What a request asks for and of whom. */
export type RequestTarget = { readonly host: string; readonly path: string };

/**
 * Returns what a request line and its Host headers ask for (RFC 9112 section 3), or undefined where two readers could take it
 * for two different things: several Host headers, one with characters that no authority has, a target that is neither a path
 * nor a URL nor `*` of OPTIONS, one with a fragment. The authority of a URL goes before the Host header.
 */
export function parseRequestTarget(
  { method, target }: { readonly method: string; readonly target: string },
  hosts: readonly string[],
): RequestTarget | undefined {
  const [host = "", ...others] = hosts;
  if (others.length > 0 || !isAuthority(host) || target.includes("#")) return undefined;
  if (target.startsWith("/") || (target === "*" && method === "OPTIONS")) return { host, path: target };
  const scheme = ["http://", "https://"].find((one) => target.slice(0, one.length).toLowerCase() === one);
  if (scheme === undefined) return undefined;
  const rest = target.slice(scheme.length);
  const end = authorityEnd(rest);
  const authority = rest.slice(0, end);
  if (authority === "" || !isAuthority(authority)) return undefined;
  const path = rest.slice(end);
  return { host: authority, path: path.startsWith("/") ? path : `/${path}` };
}

/** Where the authority at the beginning of `text` ends. */
export function authorityEnd(text: string): number {
  for (let at = 0; at < text.length; at++) if (text[at] === "/" || text[at] === "?") return at;
  return text.length;
}

const authorityCharacters = new Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+;=:[]");

/** Whether text is of the characters of RFC 3986 section 3.2 without user information; empty text is. */
function isAuthority(text: string): boolean {
  for (const character of text) if (!authorityCharacters.has(character)) return false;
  return true;
}
