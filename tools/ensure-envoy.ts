import { ensureEnvoy } from "@signet/cli";

const progress = (line: string): boolean => process.stderr.write(`${line}\n`);
const envoy = await ensureEnvoy({ env: process.env, progress }, AbortSignal.timeout(300_000));
if (envoy.kind === "found") {
  process.stdout.write(`${envoy.path}\n`);
} else {
  process.stderr.write(`ensure-envoy: ${envoy.reason}\n`);
  process.exitCode = 1;
}
