import { stat } from "node:fs/promises";
import {
  createRequestAuthenticator,
  type DocumentSet,
  type RequestAuthenticator,
  readDocuments,
} from "@signet/authorizer";
import { describeProblem } from "@signet/documents";
import { parseJwks } from "@signet/jwt";
import type { RequestAuthOptions } from "@signet/request-auth";
import { type Clock, errorMessage, readFileCapped, type SettingsOf, systemClock } from "@signet/runtime";
import type { CommandIo } from "../input/command-io.ts";
import { parseJwksFlags } from "../input/jwks-flags.ts";
import { readMeshConfig } from "../input/read-mesh-config.ts";
import { remark } from "../input/run-command.ts";
import type { jwtSettings } from "./jwt-settings.ts";

/** Values of the flags that all commands have. */
export type JwtValues = SettingsOf<typeof jwtSettings>;

/** A JWKS that was given as a file, and how old the file is. */
export type JwksFile = { readonly path: string; readonly text: string; readonly changedAt: Date };

/** The rules of a command line, ready to judge. */
export type OpenRules = {
  readonly set: DocumentSet;
  readonly authenticator: RequestAuthenticator;
  /** Stands still, so that everything that is said is of one instant, where `--now` was given. */
  readonly clock: Clock;
  /** How tokens are judged. */
  readonly options: RequestAuthOptions;
  /** By issuer or `jwksUri`. */
  readonly jwksFiles: ReadonlyMap<string, JwksFile>;
};

/** Largest JWKS file, in bytes, as where it is fetched. */
const maxJwksBytes = 262_144;

/**
 * Reads all files that a command line names, and tells on standard error what is wrong with single documents. Throws an error of
 * a line for each problem where nothing can be judged.
 */
export async function openRules(values: JwtValues, io: Pick<CommandIo, "stderr">, command: string): Promise<OpenRules> {
  const { rules, workload, namespace, meshConfig, now } = values;
  const flags = parseJwksFlags(values.jwks);
  if (flags.problems.length > 0) throw new Error(flags.problems.join("\n"));
  if (rules === undefined) throw new Error("--rules is missing: the file or directory of RequestAuthentications");
  const { rootNamespace } = await readMeshConfig(meshConfig);
  const set = await readDocuments(rules, { namespace });
  const jwksFiles = await readJwksFiles(flags.files);
  const clock: Clock = now === undefined ? systemClock : { now: () => now, sleep: systemClock.sleep };
  const options = optionsOf(values);
  const authenticator = createRequestAuthenticator(
    set,
    {
      ...options,
      ...(workload === undefined ? {} : { workload }),
      ...(rootNamespace === undefined ? {} : { rootNamespace }),
      jwksOf: new Map([...jwksFiles].map(([name, { text }]) => [name, text])),
    },
    { clock, random: Math.random },
  );
  const open = { set, authenticator, clock, options, jwksFiles };
  for (const line of remarksOn(open)) remark(io, command, line);
  return open;
}

function optionsOf(values: JwtValues): RequestAuthOptions {
  const { profile, require, passOpaqueTokens, bracketedClaims, typedClaims, algorithms } = values;
  const options = { profile, require, passOpaqueTokens, bracketedClaims, typedClaims };
  return algorithms === undefined ? options : { ...options, algorithms };
}

async function readJwksFiles(files: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, JwksFile>> {
  const found = new Map<string, JwksFile>();
  for (const [name, path] of files) {
    const text = (await readFileCapped(path, maxJwksBytes)).toString("utf8");
    found.set(name, { path, text, changedAt: (await stat(path)).mtime });
  }
  return found;
}

/** What is said before anything is judged: what cannot be used and what is seldom meant, each with its place. */
function remarksOn({ set, authenticator, jwksFiles }: OpenRules): readonly string[] {
  const rules = authenticator.rules();
  const unused = [...jwksFiles].filter(
    ([name]) => !rules.some(({ issuer, jwksUri }) => name === issuer || name === jwksUri),
  );
  return [
    ...set.refused.flatMap(({ problems }) => problems).map(describeProblem),
    ...(authenticator.refused().length === 0
      ? []
      : ["a document that is meant for these requests cannot be used, so every token is refused"]),
    ...set.warnings.map((warning) => `warning: ${describeProblem(warning)}`),
    ...unused.map(([name]) => `warning: --jwks: no rule has issuer or jwksUri ${JSON.stringify(name.slice(0, 200))}`),
    ...[...jwksFiles.values()].flatMap(jwksRemarks),
  ];
}

function jwksRemarks({ path, text }: JwksFile): readonly string[] {
  try {
    parseJwks(text);
    return [];
  } catch (error) {
    return [`warning: ${path}: ${errorMessage(error)}`];
  }
}
