import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestIssuer, testIssuer } from "@signet/jwt/testing";
import type { CommandIo } from "../input/command-io.ts";

/** The instant at which everything is judged. */
export const now = "2026-06-01T12:00:00Z";
/** The same in seconds since 1970. */
export const at: number = Date.parse(now) / 1000;

const clock = { now: () => new Date(now) };
export const one: TestIssuer = testIssuer({ issuer: "https://one.example", kid: "k1", clock });
/** The same issuer with a key that nobody knows. */
export const stranger: TestIssuer = testIssuer({ issuer: "https://one.example", kid: "k2", clock });
export const two: TestIssuer = testIssuer({ issuer: "https://two.example", kid: "t1", clock });

/** What a run of a command wrote, and its exit code. */
export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** A directory of files, and commands run on them. */
export interface JwtFixture {
  readonly directory: string;
  put(name: string, content: string | Buffer): string;
  /** Writes `rules.yaml` with one RequestAuthentication, and returns the flags that name it, the keys of both issuers, and the instant. */
  rules(rules: readonly object[], more?: { readonly selector?: string; readonly field?: string }): readonly string[];
  run(
    command: (args: readonly string[], io: CommandIo) => Promise<number>,
    args: readonly string[],
    stdin?: string | readonly string[],
  ): Promise<Ran>;
  remove(): void;
}

/** A JwtFixture in a new directory. */
export function createJwtFixture(): JwtFixture {
  const directory = mkdtempSync(join(tmpdir(), "signet-jwt-"));
  const put: JwtFixture["put"] = (name, content) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  return {
    directory,
    put,
    rules(rules, { selector, field = "jwtRules" } = {}) {
      const document = {
        apiVersion: "security.istio.io/v1",
        kind: "RequestAuthentication",
        metadata: { name: "jwt", namespace: "foo" },
        spec: { ...(selector === undefined ? {} : { selector: { matchLabels: { app: selector } } }), [field]: rules },
      };
      const keys = [one, two].flatMap(({ issuer, kid, jwks }) => ["--jwks", `${issuer}=${put(`${kid}.json`, jwks)}`]);
      return ["--rules", put("rules.yaml", JSON.stringify(document)), ...keys, "--now", now];
    },
    async run(command, args, stdin = "") {
      const written = { out: "", err: "" };
      const code = await command(args, {
        stdin: (async function* () {
          yield* [stdin].flat();
        })(),
        stdout: { write: (text) => (written.out += text) },
        stderr: { write: (text) => (written.err += text) },
      });
      return { code, ...written };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A request with a token, as one line of JSON. */
export function requestWith(token?: string, http: object = {}): string {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return JSON.stringify({
    request: { http: { method: "GET", scheme: "https", host: "shop.example", path: "/", headers, ...http } },
  });
}
