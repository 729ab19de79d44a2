import { type DocumentSet, readDocuments } from "@signet/authorizer";
import { describeProblem, type JwtRule, type MeshConfig, selectDocuments, type Workload } from "@signet/documents";
import { type Json, workloadFilterChains, workloadFilters } from "@signet/envoy-config";
import type { SettingsOf } from "@signet/runtime";
import type { CommandOutput } from "../input/command-io.ts";
import { readJwks } from "../input/read-jwks.ts";
import { readMeshConfig } from "../input/read-mesh-config.ts";
import { remark, runCommand } from "../input/run-command.ts";
import { printable } from "../text/printable.ts";
import { toYaml } from "../text/to-yaml.ts";
import { envoyConfigSettings, withLongFlags } from "./envoy-config-settings.ts";

const command = "signet envoy-config";

const summary =
  "Prints the Envoy filters that istiod would make for a workload of the documents that attach to it, as one list in\n" +
  "filter-chain order, in proto JSON names. Standard output is the list alone; warnings go to standard error. Exits 1, with\n" +
  "no list, when a document that is meant for the workload cannot be used, and 2 for a command line or files that cannot\n" +
  "be used.";

type Values = SettingsOf<typeof envoyConfigSettings>;

/** Runs `signet envoy-config` and returns its exit code. */
export async function runEnvoyConfig(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  io: CommandOutput,
): Promise<number> {
  return await runCommand({ command, summary }, envoyConfigSettings, { args: withLongFlags(args), env, io }, (values) =>
    printConfig(values, subjectOf(values), io),
  );
}

/** Whose filters are asked for. Throws an error of a line for each flag that is missing or does not go with another. */
function subjectOf({ policies, workload, listener, filterChains, ports }: Values): Subject {
  const problems = [
    ...(policies === undefined ? ["--policies is missing: the file or directory of documents"] : []),
    ...(workload === undefined ? ["--workload is missing: a namespace and labels, such as foo/app=httpbin"] : []),
    ...(filterChains && listener !== "inbound" ? ["--filter-chains is for --listener inbound alone"] : []),
    ...(ports !== undefined && !filterChains ? ["--ports is for --filter-chains alone"] : []),
  ];
  if (policies !== undefined && workload !== undefined && problems.length === 0) return { policies, workload };
  throw new Error(problems.join("\n"));
}

type Subject = { readonly policies: string; readonly workload: Workload };

async function printConfig(values: Values, { policies, workload }: Subject, io: CommandOutput): Promise<0 | 1> {
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
  for (const warning of warnings) remark(io, command, `warning: ${warning}`);
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
function tellDocuments(set: DocumentSet, { workload, meshConfig }: Concerned, io: CommandOutput): boolean {
  const { rootNamespace = "istio-system" } = meshConfig;
  const missing = selectDocuments(set.refused, workload, { rootNamespace });
  for (const { problems } of set.refused) for (const problem of problems) remark(io, command, describeProblem(problem));
  for (const warning of set.warnings) remark(io, command, `warning: ${describeProblem(warning)}`);
  if (missing.length === 0) return true;
  remark(
    io,
    command,
    "no filters are printed, since without the documents that cannot be used they would let through too much",
  );
  return false;
}
