import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runExplainToken } from "../explain-token.ts";

/** The instant at which all tokens of these tests are judged. */
export const now = "2026-06-01T12:00:00Z";

/** A row of the report, as JSON has it. */
export type Row = {
  readonly authenticator: string;
  readonly mode?: string;
  readonly configured: boolean;
  readonly verdict: string;
  readonly reason?: string;
  readonly detail: string;
  readonly spiffeId?: string;
  readonly hints: readonly string[];
  readonly unless?: readonly string[];
};

/** What a run of the command wrote, and its exit code. */
export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** What came of one token. */
export type Judged = {
  readonly code: number;
  readonly report: unknown;
  readonly oidc: Row;
  readonly review: Row;
  readonly local: Row;
};

/** A directory of files, and the command run on them. */
export interface ExplainFixture {
  put(name: string, content: string): string;
  /** The flag that gives the keys of an issuer. */
  keysOf(issuer: { readonly issuer: string; readonly kid: string; readonly jwks: string }): string;
  run(
    args: readonly string[],
    options?: { readonly env?: Record<string, string>; readonly stdin?: string },
  ): Promise<Ran>;
  /** Has `token` explained as JSON at `now`. */
  judge(token: string, args?: readonly string[], env?: Record<string, string>): Promise<Judged>;
  remove(): void;
}

/** An ExplainFixture in a new directory. */
export function createExplainFixture(): ExplainFixture {
  const directory = mkdtempSync(join(tmpdir(), "signet-explain-"));
  const put: ExplainFixture["put"] = (name, content) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  return {
    put,
    keysOf: ({ issuer, kid, jwks }) => `--jwks=${issuer}=${put(`${kid}.json`, jwks)}`,
    run,
    async judge(token, args = [], env = {}) {
      const { code, out, err } = await run([put("token", token), "--json", "--now", now, ...args], { env });
      if (err !== "") throw new Error(err);
      const { accepted } = JSON.parse(out) as { readonly accepted: boolean };
      if (accepted !== (code === 0)) throw new Error(`exit code ${code} although accepted is ${accepted}`);
      return { code, ...readReport(out) };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

const run: ExplainFixture["run"] = async (args, { env = {}, stdin = "" } = {}) => {
  const written = { out: "", err: "" };
  const code = await runExplainToken(args, env, {
    stdin: (async function* () {
      yield stdin;
    })(),
    stdout: { write: (text) => (written.out += text) },
    stderr: { write: (text) => (written.err += text) },
  });
  return { code, ...written };
};

function readReport(json: string): Omit<Judged, "code"> {
  const report = JSON.parse(json) as { readonly authenticators: readonly Row[] };
  const row = (name: string, mode?: string): Row => {
    const found = report.authenticators.find((one) => one.authenticator === name && one.mode === mode);
    if (found === undefined) throw new Error(`no row ${name}`);
    return found;
  };
  const name = "kubernetes-token";
  return { report, oidc: row("oidc-token"), review: row(name, "review"), local: row(name, "local") };
}
