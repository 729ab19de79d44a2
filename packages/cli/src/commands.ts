/** One `signet` command, whose name is one word or two; `run` loads what it needs only when it is called. */
export type Command = {
  readonly name: string;
  readonly summary: string;
  run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number>;
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
    run: async (args, env) => (await import("@signet/ca-server")).runCaServer(args, env),
  },
  {
    name: "ca explain-token",
    summary: "say offline which authenticator of the CA would accept a token, and why each other would not",
    run: async (args, env) => (await import("./ca/explain-token.ts")).runExplainToken(args, env, process),
  },
  {
    name: "agent",
    summary: "keep one workload's certificate fresh and serve it to Envoy over SDS",
    run: async (args, env) => (await import("@signet/agent")).runAgent(args, env),
  },
  {
    name: "agent status",
    summary: "print what the agent of this machine serves to whom, and its last error",
    run: async (args, env) => (await import("./agent/agent-status.ts")).runAgentStatus(args, env, process),
  },
  {
    name: "agent wait",
    summary: "wait until the agent of this machine serves a certificate",
    run: async (args, env) => (await import("./agent/agent-wait.ts")).runAgentWait(args, env, process),
  },
  {
    name: "jwt verify",
    summary: "say what RequestAuthentications make of requests: who they are from, or why they are refused",
    run: async (args) => (await import("./jwt/verify.ts")).runJwtVerify(args, process),
  },
  {
    name: "jwt explain",
    summary: "say in sentences what each rule of RequestAuthentications makes of a token",
    run: async (args) => (await import("./jwt/explain.ts")).runJwtExplain(args, process),
  },
  {
    name: "envoy-config",
    summary: "print the Envoy filters that istiod would make for a workload of Istio's documents",
    run: async (args, env) => (await import("./envoy-config/envoy-config.ts")).runEnvoyConfig(args, env, process),
  },
  {
    name: "authz",
    summary: "answer Envoy's ext_authz by Istio's policies: CUSTOM providers, tokens, and the policy engine",
    run: async (args, env) => (await import("@signet/authz-server")).runAuthzServer(args, env),
  },
  {
    name: "authz decide",
    summary: "decide requests by authorization policies, and say which rule decided",
    run: async (args, env) => (await import("./authz/decide.ts")).runAuthzDecide(args, env, process),
  },
  {
    name: "authz explain",
    summary: "say why a request is allowed or denied, and what would have it allowed",
    run: async (args, env) => (await import("./authz/explain.ts")).runAuthzExplain(args, env, process),
  },
  {
    name: "authz test",
    summary: "run cases that say what authorization policies are to decide",
    run: async (args, env) => (await import("./authz/test.ts")).runAuthzTest(args, env, process),
  },
  {
    name: "authz lint",
    summary: "find in policies what their authors will hardly have meant",
    run: async (args) => (await import("./authz/lint.ts")).runAuthzLint(args, process),
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

/** A command, and what is left of its command line. */
export type FoundCommand = { readonly command: Command; readonly args: readonly string[] };

/** The command that a line begins with, by two words rather than by one; undefined when there is none. */
export function findCommand(line: readonly string[]): FoundCommand | undefined {
  for (const words of [2, 1]) {
    const name = line.slice(0, words).join(" ");
    const command = line.length >= words ? commands.find((one) => one.name === name) : undefined;
    if (command !== undefined) return { command, args: line.slice(words) };
  }
  return undefined;
}

/** Names of commands of two words that begin with `first`. */
export function subcommandsOf(first: string): readonly string[] {
  return commands.map(({ name }) => name).filter((name) => name.startsWith(`${first} `));
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
