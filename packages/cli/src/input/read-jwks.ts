import { errorMessage, readFileCapped } from "@signet/runtime";
import { parseJwksFlags } from "./jwks-flags.ts";

/** Largest JWKS file, in bytes, as where it is fetched. */
const maxBytes = 262_144;

/**
 * Returns the texts of the files that `--jwks` names, by issuer or `jwksUri`. Throws an error of a line for each problem with
 * the flags, or for the first file that cannot be read.
 */
export async function readJwks(flags: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { files, problems } = parseJwksFlags(flags);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const found = new Map<string, string>();
  for (const [name, path] of files) {
    try {
      found.set(name, (await readFileCapped(path, maxBytes)).toString("utf8"));
    } catch (error) {
      throw new Error(`--jwks: ${path} cannot be read: ${errorMessage(error)}`);
    }
  }
  return found;
}
