import { ensureEnvoy } from "@signet/cli";

/** The Envoy that the tests run against; the empty text where there is none, and `skipped` then says why. */
export type TestEnvoy = { readonly path: string; readonly version: string; readonly skipped: string };

/** Returns the Envoy of this machine. Where CI is set there must be one; elsewhere the tests that need it are skipped. */
export async function findTestEnvoy(): Promise<TestEnvoy> {
  const progress = (line: string): boolean => process.stderr.write(`${line}\n`);
  const envoy = await ensureEnvoy({ env: process.env, progress }, AbortSignal.timeout(300_000));
  if (envoy.kind === "found") {
    return { path: envoy.path, version: envoy.version, skipped: "" };
  }
  if (process.env.CI) {
    throw new Error(`CI needs an Envoy: ${envoy.reason}`);
  }
  return { path: "", version: "", skipped: `skipped, no Envoy: ${envoy.reason}` };
}
