/** The files that `--jwks` names, by issuer, and what is wrong with its values. */
export type JwksFlags = { readonly files: ReadonlyMap<string, string>; readonly problems: readonly string[] };

/** Reads values of `--jwks`, each `<issuer>=<file>`. */
export function parseJwksFlags(entries: readonly string[]): JwksFlags {
  const files = new Map<string, string>();
  const problems: string[] = [];
  for (const entry of entries) {
    // The last "=": an issuer's URL may have one in its query, and a file's name seldom has.
    const at = entry.lastIndexOf("=");
    const [issuer, file] = [entry.slice(0, at), entry.slice(at + 1)];
    if (at <= 0 || file === "") problems.push(`--jwks ${JSON.stringify(entry.slice(0, 200))} is not <issuer>=<file>`);
    else if (files.has(issuer)) problems.push(`--jwks names issuer ${JSON.stringify(issuer.slice(0, 200))} twice`);
    else files.set(issuer, file);
  }
  return { files, problems };
}
