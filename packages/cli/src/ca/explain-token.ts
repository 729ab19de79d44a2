import { createOfflineAuthenticators } from "@signet/ca-server";
import { parseJwks } from "@signet/jwt";
import { type Clock, errorMessage, readFileCapped, settingsHelp, systemClock } from "@signet/runtime";
import type { CommandIo } from "../input/command-io.ts";
import { readToken } from "../input/read-token.ts";
import { complain } from "../input/run-command.ts";
import { decodeToken } from "../text/decode-token.ts";
import { type ExplainArguments, explainSettings, parseExplainArguments } from "./explain-arguments.ts";
import { hintsFor } from "./token-hints.ts";
import { isAccepted, reportAsJson, reportAsText, type TokenReport } from "./token-report.ts";
import { judgeToken, type ServerView } from "./token-verdict.ts";

const command = "signet ca explain-token";
const summary =
  "Says, offline, which authenticator of `signet ca` would accept the token in <file> (- for standard input), and why each\n" +
  "other would not. The token's signature is not shown and nothing is asked over the network. Every flag and variable of\n" +
  "`signet ca` says, as there, which tokens count; --audience stands for its --token-audiences.";

/** Largest JWKS file, in bytes, as where it is fetched. */
const maxJwksBytes = 262_144;
const deadlineMs = 10_000;

/**
 * Runs `signet ca explain-token` and returns its exit code: 0 when an authenticator that the server asks would accept the
 * token, 1 when none is seen to, 2 for a command line, a configuration or files that cannot be used.
 */
export async function runExplainToken(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  io: CommandIo,
): Promise<number> {
  const parsed = parseExplainArguments(args, env);
  switch (parsed.kind) {
    case "help":
      io.stdout.write(settingsHelp(explainSettings, { command: `${command} <file>`, summary }));
      return 0;
    case "invalid":
      return complain(io, command, parsed.problems);
    case "arguments":
      return await explain(parsed.arguments, io);
  }
}

async function explain(given: ExplainArguments, io: CommandIo): Promise<number> {
  let report: TokenReport;
  try {
    report = await createReport(given, io);
  } catch (error) {
    return complain(io, command, [errorMessage(error)]);
  }
  io.stdout.write(given.json ? reportAsJson(report) : reportAsText(report));
  return isAccepted(report) ? 0 : 1;
}

async function createReport(given: ExplainArguments, io: CommandIo): Promise<TokenReport> {
  const { file, server: settings, clusterAssumed, now = new Date() } = given;
  const token = await readToken(file, io);
  const { jwks, keyIds } = await readJwksFiles(given.jwksFiles);
  // Time stands still, so that the report and the authenticators speak of one instant.
  const clock: Clock = { now: () => now, sleep: (ms, signal) => systemClock.sleep(ms, signal) };
  const authenticators = await createOfflineAuthenticators(settings, { jwks, clock });
  const server: ServerView = {
    authenticators,
    oidcIssuers: settings.issuers,
    kubernetes: settings.kubernetes ?? { verification: "review", audiences: [] },
    gatewaysTrusted: settings.trustedGateways.cidrs.length > 0,
  };
  const decoded = decodeToken(token);
  const verdicts = await judgeToken({ token, decoded }, server, AbortSignal.timeout(deadlineMs));
  return {
    ...{ file, now, decoded, clusterAssumed, trustDomain: authenticators.trustDomain },
    verdicts: verdicts.map((verdict) => ({ ...verdict, hints: hintsFor(verdict, { decoded, server, now, keyIds }) })),
  };
}

async function readJwksFiles(files: ReadonlyMap<string, string>): Promise<{
  readonly jwks: ReadonlyMap<string, string>;
  readonly keyIds: ReadonlyMap<string, readonly string[]>;
}> {
  const jwks = new Map<string, string>();
  const keyIds = new Map<string, readonly string[]>();
  for (const [issuer, path] of files) {
    const text = (await readFileCapped(path, maxJwksBytes)).toString("utf8");
    try {
      keyIds.set(
        issuer,
        parseJwks(text).keys.map(({ kid }) => kid ?? "(without id)"),
      );
    } catch (error) {
      throw new Error(`${path}: ${errorMessage(error)}`, { cause: error });
    }
    jwks.set(issuer, text);
  }
  return { jwks, keyIds };
}
