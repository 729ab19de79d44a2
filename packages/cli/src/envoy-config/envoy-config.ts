import { type DocumentSet, readDocuments } from "@signet/authorizer";
import { describeProblem, type JwtRule, type MeshConfig, selectDocuments, type Workload } from "@signet/documents";
import { type Json, workloadFilterChains, workloadFilters } from "@signet/envoy-config";
import { errorMessage, parseSettings, type SettingsOf, settingsHelp } from "@signet/runtime";
import type { CommandIo } from "../input/command-io.ts";
import { readJwks } from "../input/read-jwks.ts";
import { readMeshConfig } from "../input/read-mesh-config.ts";
import { printable } from "../text/printable.ts";
import { toYaml } from "../text/to-yaml.ts";
import { envoyConfigSettings, withLongFlags } from "./envoy-config-settings.ts";

const command = "signet envoy-config";

const summary =
  "Prints the Envoy filters that istiod would make for a workload of the documents that attach to it, as one list in\n" +
  "filter-chain order, in proto JSON names. Standard output is the list alone; warnings go to standard error. Exits 1, with\n" +
  "no list, when a document that is meant for the workload cannot be used, and 2 for a command line or files that cannot\n" +
  "be used.";

type Io = Pick<CommandIo, "stdout" | "stderr">;
type Values = SettingsOf<typeof envoyConfigSettings>;

/** Runs `signet envoy-config` and returns its exit code. */
export async function runEnvoyConfig(args: readonly string[], env: NodeJS.ProcessEnv, io: Io): Promise<0 | 1 | 2> {
  const parsed = parseSettings(envoyConfigSettings, { args: withLongFlags(args), env });
  switch (parsed.kind) {
    case "help":
      io.stdout.write(settingsHelp(envoyConfigSettings, { command, summary }));
      return 0;
    case "invalid":
      return complain(io, parsed.problems);
    case "settings":
      break;
  }
  const { policies, workload, listener, filterChains, ports } = parsed.values;
  const problems = [
    ...(policies === undefined ? ["--policies is missing: the file or directory of documents"] : []),
    ...(workload === undefined ? ["--workload is missing: a namespace and labels, such as foo/app=httpbin"] : []),
    ...(filterChains && listener !== "inbound" ? ["--filter-chains is for --listener inbound alone"] : []),
    ...(ports !== undefined && !filterChains ? ["--ports is for --filter-chains alone"] : []),
  ];
  if (policies === undefined || workload === undefined || problems.length > 0) return complain(io, problems);
  try {
    return await printConfig(parsed.values, { policies, workload }, io);
  } catch (error) {
    return complain(io, errorMessage(error).split("\n"));
  }
}

function complain(io: Io, problems: readonly string[]): 2 {
  for (const problem of problems) say(io, problem);
  return 2;
}

function say(io: Io, line: string): void {
  io.stderr.write(printable(`${command}: ${line}\n`));
}

type Subject = { readonly policies: string; readonly workload: Workload };

async function printConfig(values: Values, { policies, workload }: Subject, io: Io): Promise<0 | 1> {
  const meshConfig = await readMeshConfig(values.meshConfig);
  const jwks = await readJwks(values.jwks);
  const set = await readDocuments(policies, { namespace: values.namespace });
  const isUsable = tellDocuments(set, { workload, meshConfig }, io);
  if (!isUsable) return 1;
  const { listener, jwtFirst, severalProviders, inlineJwks } = values;
  const { filters, warnings } = workloadFilters(set.documents, workload, {
    ...{ listener, meshConfig, jwtFirst, severalProviders },
    jwksFetchedBy: inlineJwks ? "nobody" : "envoy",
    jwksOf: ({ issuer, jwksUri }: JwtRule) => jwks.get(issuer) ?? jwks.get(jwksUri ?? ""),
  });
  for (const warning of warnings) say(io, `warning: ${warning}`);
  const list: readonly Json[] = [
    ...filters,
    ...(values.filterChains ? chainsOf(set, { values, workload, meshConfig }) : []),
  ];
  io.stdout.write(printable(values.output === "json" ? `${JSON.stringify(list, undefined, 2)}\n` : toYaml(list)));
  return 0;
}

type ChainsOf = { readonly values: Values; readonly workload: Workload; readonly meshConfig: MeshConfig };

function chainsOf(set: DocumentSet, { values: { ports }, workload, meshConfig }: ChainsOf): readonly Json[] {
  const chains = workloadFilterChains(set.documents, workload, { meshConfig, ...(ports !== undefined && { ports }) });
  return chains.map(({ name, filterChainMatch, transportSocket }) => ({
    name,
    filterChainMatch,
    ...(transportSocket !== undefined && { transportSocket }),
  }));
}

type Concerned = { readonly workload: Workload; readonly meshConfig: MeshConfig };

/** Says what is wrong with documents, and returns whether all that are meant for the workload can be used. */
function tellDocuments(set: DocumentSet, { workload, meshConfig }: Concerned, io: Io): boolean {
  const { rootNamespace = "istio-system" } = meshConfig;
  const missing = selectDocuments(set.refused, workload, { rootNamespace });
  for (const { problems } of set.refused) for (const problem of problems) say(io, describeProblem(problem));
  for (const warning of set.warnings) say(io, `warning: ${describeProblem(warning)}`);
  if (missing.length === 0) return true;
  say(io, "no filters are printed, since without the documents that cannot be used they would let through too much");
  return false;
}
