import { type CaServerSettings, caServerSettings, parseCaServerSettings } from "@signet/ca-server";
import { parseSettings, type Setting, type SettingsOf, setting } from "@signet/runtime";
import { parseInstant } from "../input/instant.ts";
import { parseJwksFlags } from "../input/jwks-flags.ts";

/** What `signet ca explain-token` can be told beside the settings of `signet ca`. */
export const explainSettings: {
  readonly jwks: Setting<readonly string[]>;
  readonly json: Setting<boolean>;
  readonly now: Setting<Date | undefined>;
  readonly audiences: Setting<readonly string[]>;
  readonly issuer: Setting<string | undefined>;
} = {
  jwks: setting.list({
    flag: "jwks",
    default: [],
    description: "keys of issuers, each as <issuer>=<file>; of an issuer that no rule names, it is the API server's",
  }),
  json: setting.bool({ flag: "json", default: false, description: "print one JSON object" }),
  now: setting.parsed({
    flag: "now",
    read: parseInstant,
    placeholder: "<RFC 3339>",
    description: "the instant to judge the token at; the present unless given",
  }),
  audiences: setting.list({
    flag: "audience",
    default: [],
    description: "audiences that the server accepts, in place of TOKEN_AUDIENCES",
  }),
  issuer: setting.text({
    flag: "issuer",
    description: "one more OIDC issuer that the server trusts, in place of TOKEN_ISSUER",
  }),
};

/** A command line of `signet ca explain-token`. */
export type ExplainArguments = {
  /** The file that holds the token; "-" for standard input. */
  readonly file: string;
  readonly jwksFiles: ReadonlyMap<string, string>;
  readonly json: boolean;
  readonly now?: Date;
  /** Those of the CA server, whose Kubernetes cluster is assumed where none is configured. */
  readonly server: CaServerSettings;
  readonly clusterAssumed: boolean;
};

/** What came of reading the command line and the environment. */
export type ParsedExplainArguments =
  | { readonly kind: "arguments"; readonly arguments: ExplainArguments }
  | { readonly kind: "help" }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/**
 * Returns what a command line asks for: flags of this command, one file, and any flag or variable of `signet ca`, so that
 * the server's own environment can be used as it is.
 */
export function parseExplainArguments(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedExplainArguments {
  const line = splitLine(args);
  const own = parseSettings(explainSettings, { args: line.own, env: {} });
  if (own.kind === "help") return own;
  const values = own.kind === "settings" ? own.values : undefined;
  const clusterAssumed = isEmpty(env.KUBERNETES_SERVICE_HOST) && isEmpty(env.SIGNET_KUBECONFIG);
  const server = parseCaServerSettings({
    args: [...line.server, ...serverFlags(values)],
    // The token is explained far from the cluster as a rule, and the server runs in it.
    env: clusterAssumed ? { ...env, KUBERNETES_SERVICE_HOST: "assumed.invalid" } : env,
  });
  const jwks = parseJwksFlags(values?.jwks ?? []);
  const [file, ...others] = line.files;
  const problems = [
    ...(own.kind === "invalid" ? own.problems : []),
    ...(server.kind === "invalid" ? server.problems : []),
    ...jwks.problems,
    ...(file === undefined ? ["the file that holds the token is missing; - is standard input"] : []),
    ...(others.length > 0 ? ["more than one file is given"] : []),
  ];
  if (server.kind === "help") return server;
  if (problems.length > 0 || values === undefined || server.kind === "invalid" || file === undefined) {
    return { kind: "invalid", problems };
  }
  const { json, now } = values;
  const given = { file, json, jwksFiles: jwks.files, server: server.settings, clusterAssumed };
  return { kind: "arguments", arguments: now === undefined ? given : { ...given, now } };
}

type Line = { readonly own: readonly string[]; readonly server: readonly string[]; readonly files: readonly string[] };

/** Sorts a command line into flags of this command, flags of the server, and files, each flag with its value. */
function splitLine(args: readonly string[]): Line {
  const own: string[] = [];
  const server: string[] = [];
  const files: string[] = [];
  const ownFlags = flagsOf(explainSettings);
  const bare = new Set([...bareFlags(explainSettings), ...bareFlags(caServerSettings)]);
  const queue = [...args];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (!arg.startsWith("--") && arg !== "-h") {
      files.push(arg);
      continue;
    }
    const name = arg.slice(2).split("=", 1)[0] ?? "";
    const target = ownFlags.has(name) || arg === "-h" || name === "help" ? own : server;
    target.push(arg);
    const value = queue[0];
    const takesValue = arg !== "-h" && name !== "help" && !arg.includes("=") && !bare.has(name);
    if (takesValue && value !== undefined && !value.startsWith("--")) target.push(queue.shift() ?? "");
  }
  return { own, server, files };
}

function flagsOf(spec: Readonly<Record<string, Setting<unknown>>>): ReadonlySet<string> {
  return new Set(Object.values(spec).flatMap(({ flag }) => (flag === undefined ? [] : [flag])));
}

function bareFlags(spec: Readonly<Record<string, Setting<unknown>>>): readonly string[] {
  return Object.values(spec).flatMap(({ flag, kind }) => (kind === "bool" && flag !== undefined ? [flag] : []));
}

/** The short flags of this command as the server's own. */
function serverFlags(values: SettingsOf<typeof explainSettings> | undefined): readonly string[] {
  if (values === undefined) return [];
  return [
    ...(values.audiences.length > 0 ? [`--token-audiences=${values.audiences.join(",")}`] : []),
    ...(values.issuer === undefined ? [] : [`--token-issuer=${values.issuer}`]),
  ];
}

function isEmpty(text: string | undefined): boolean {
  return text === undefined || text === "";
}
