import { errorMessage, type Setting, type SettingsOf, setting, systemClock } from "@signet/runtime";
import { loadTokenSigner } from "./dev/token-issuer.ts";
import { maxTokenTtlMs } from "./dev/token-issuer-keys.ts";
import { parseNamespace, parseServiceAccount } from "./dev/token-issuer-token.ts";
import type { CommandOutput } from "./input/command-io.ts";
import { remark, runCommand } from "./input/run-command.ts";

/** What `signet token` can be told. */
export const tokenSettings: {
  readonly namespace: Setting<string | undefined>;
  readonly serviceAccount: Setting<string | undefined>;
  readonly audiences: Setting<readonly string[]>;
  readonly ttlMs: Setting<number>;
  readonly stateDirectory: Setting<string>;
} = {
  namespace: setting.parsed({
    flag: "namespace",
    read: parseNamespace,
    placeholder: "<name>",
    description: "namespace of the service account (required)",
  }),
  serviceAccount: setting.parsed({
    flag: "service-account",
    read: parseServiceAccount,
    placeholder: "<name>",
    description: "name of the service account (required)",
  }),
  audiences: setting.list({
    flag: "audience",
    default: ["istio-ca"],
    description: "audiences of the token",
  }),
  ttlMs: setting.duration({
    flag: "ttl",
    default: 3_600_000,
    minMs: 1000,
    maxMs: maxTokenTtlMs,
    description: "lifetime of the token, at most 168h",
  }),
  stateDirectory: setting.text({
    env: "SIGNET_STATE_DIR",
    flag: "state-dir",
    default: "./.signet",
    description: "state directory of `signet dev`",
  }),
};

const about = {
  command: "signet token",
  summary: "Prints a token of the issuer that `signet dev` runs, and nothing else.",
};

/**
 * Runs `signet token` and returns its exit code: 0 with one token and a newline on `stdout`, 1 when there is no issuer
 * to sign it, 2 for flags that are not valid. The issuer itself need not run.
 */
export async function runToken(args: readonly string[], env: NodeJS.ProcessEnv, io: CommandOutput): Promise<number> {
  return await runCommand(about, tokenSettings, { args, env, io }, (values) => {
    const problems = missingSettings(values);
    if (problems.length > 0) throw new Error(problems.join("\n"));
    return printToken(values, io);
  });
}

type TokenSettings = SettingsOf<typeof tokenSettings>;

function missingSettings({ namespace, serviceAccount, audiences }: TokenSettings): readonly string[] {
  return [
    ...(namespace === undefined ? ["--namespace is required"] : []),
    ...(serviceAccount === undefined ? ["--service-account is required"] : []),
    ...(audiences.length === 0 ? ["--audience names no audience"] : []),
  ];
}

async function printToken(settings: TokenSettings, io: CommandOutput): Promise<0 | 1> {
  const { namespace = "", serviceAccount = "", audiences, ttlMs, stateDirectory } = settings;
  try {
    const signer = await loadTokenSigner(stateDirectory, systemClock);
    if (signer === undefined) {
      remark(io, about.command, `no token issuer in ${stateDirectory}: start \`signet dev\` first`);
      return 1;
    }
    io.stdout.write(`${signer.issueToken({ namespace, serviceAccount, audiences, ttlMs })}\n`);
    return 0;
  } catch (error) {
    remark(io, about.command, errorMessage(error));
    return 1;
  }
}
