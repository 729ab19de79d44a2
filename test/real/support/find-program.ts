import type { GoProgramSearch } from "../../../tools/counterparts/build-go-program.ts";

/** A binary for the tests; the empty text where there is none, and `skipped` then says why. */
export type TestProgram = { readonly path: string; readonly skipped: string };

/** Returns what `ensure` finds or builds. Without Go tests are skipped; a build that fails is a failure where CI is set. */
export async function findProgram(ensure: () => Promise<GoProgramSearch>): Promise<TestProgram> {
  const search = await ensure();
  if (search.kind === "found") return { path: search.path, skipped: "" };
  if (search.kind === "failed" && process.env.CI) throw new Error(search.reason);
  return { path: "", skipped: `skipped: ${search.reason}` };
}
