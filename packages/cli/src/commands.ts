/** One `signet` sub-command; `run` loads what it needs only when it is called. */
export type Command = {
  readonly name: string;
  readonly summary: string;
  run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number>;
};

const explainToken: Command = {
  name: "ca explain-token",
  summary: "say offline which authenticator of the CA would accept a token, and why each other would not",
  run: async (args, env) => (await import("./ca/explain-token.ts")).runExplainToken(args, env, process),
};

// Each command imports its process on demand: the agent must not pay, in memory or start time, for the CA server.
const commands: readonly Command[] = [
  {
    name: "dev",
    summary: "a CA server and a token issuer for a laptop, with state under ./.signet",
    run: async (args, env) => (await import("./dev/dev.ts")).runDev(args, env),
  },
  {
    name: "token",
    summary: "print a token of the issuer that `signet dev` runs",
    run: async (args, env) => (await import("./token.ts")).runToken(args, env, process),
  },
  {
    name: "ca",
    summary: "the istiod-compatible CA server",
    run: async ([first, ...rest], env) => {
      if (first === "explain-token") return await explainToken.run(rest, env);
      const args = first === undefined ? [] : [first, ...rest];
      return await (await import("@signet/ca-server")).runCaServer(args, env);
    },
  },
  explainToken,
  {
    name: "agent",
    summary: "keep one workload's certificate fresh and serve it to Envoy over SDS",
    run: async (args, env) => (await import("@signet/agent")).runAgent(args, env),
  },
  {
    name: "version",
    summary: "print the version",
    run: async () => {
      process.stdout.write(`${(await import("./version.ts")).version}\n`);
      return 0;
    },
  },
];

/** The command of that name, or undefined. */
export function findCommand(name: string): Command | undefined {
  return commands.find((command) => command.name === name);
}

/** What `signet --help` prints. */
export function signetHelp(): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const rows = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return [
    "Usage: signet <command> [flags]",
    "",
    "Commands:",
    ...rows,
    "",
    "`signet <command> --help` lists its flags and environment variables.",
    "",
  ].join("\n");
}
