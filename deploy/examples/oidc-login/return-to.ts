/** Longest path that is kept over a login. */
const maxLength = 2_000;

/**
 * The path and query to go on to after a login; "/" for anything that could lead a browser anywhere else.
 *
 * Browsers take `//host`, `/\host` and paths with tabs in them for another host: what is left is what the URL parser makes of it,
 * and its path alone.
 */
export function safeReturnTo(wanted: string | null, publicUrl: URL): string {
  if (wanted === null || wanted.length > maxLength || !wanted.startsWith("/")) return "/";
  const url = URL.parse(wanted, publicUrl);
  if (url === null || url.origin !== publicUrl.origin) return "/";
  const path = `${url.pathname}${url.search}`;
  return path.startsWith("//") ? "/" : path;
}
