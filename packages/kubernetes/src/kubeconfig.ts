import { createPrivateKey, X509Certificate } from "node:crypto";
import { isAbsolute, join } from "node:path";
import type { CredentialPart, CredentialParts } from "./credentials.ts";
import { KubernetesError, quote } from "./errors.ts";
import type { ExecCommand } from "./exec-credentials.ts";
import { isRecord } from "./shape.ts";

/** How far a kubeconfig is trusted. */
export type KubeconfigTrust = {
  /** The context to use instead of the current one. */
  readonly context?: string;
  /** Where relative paths begin; without it no file of ours may be named. */
  readonly directory?: string;
  readonly allowExec: boolean;
};

/** One cluster and one user of a kubeconfig. */
export type Kubeconfig = {
  readonly server: URL;
  readonly serverName?: string;
  readonly parts: CredentialParts;
  readonly exec?: ExecCommand;
};

// Each of these changes who we are or how far the server is believed; none may be dropped in silence.
const refusedOfCluster = { "proxy-url": "a proxy", "insecure-skip-tls-verify": "an unverified server" } as const;
const refusedOfUser = {
  "auth-provider": "an auth-provider plugin",
  username: "basic authentication",
  password: "basic authentication",
  as: "impersonation",
  "as-uid": "impersonation",
  "as-groups": "impersonation",
  "as-user-extra": "impersonation",
} as const;

/**
 * What a kubeconfig says of the chosen context.
 * @throws KubernetesError `config-invalid`; the message names fields, never what a credential holds
 */
export function parseKubeconfig(value: unknown, trust: KubeconfigTrust): Kubeconfig {
  if (!isRecord(value)) throw invalid("is not a kubeconfig");
  const contextName = trust.context ?? text(value, "current-context");
  if (contextName === undefined) throw invalid("has no current-context");
  const context = named(value, { list: "contexts", entry: "context", name: contextName });
  const cluster = named(value, { list: "clusters", entry: "cluster", name: required(context, "cluster") });
  const userName = text(context, "user");
  const user = userName === undefined ? {} : named(value, { list: "users", entry: "user", name: userName });
  refuse(cluster, refusedOfCluster);
  refuse(user, refusedOfUser);

  const ca = part(cluster, "certificate-authority", trust);
  const certificate = part(user, "client-certificate", trust);
  const key = part(user, "client-key", trust);
  if ((certificate === undefined) !== (key === undefined)) {
    throw invalid("names a client certificate without its key, or a key without its certificate");
  }
  const token = tokenPart(user, trust);
  const serverName = text(cluster, "tls-server-name");
  const exec = execCommand(user, trust);
  return {
    server: parseServer(required(cluster, "server")),
    ...(serverName === undefined ? {} : { serverName }),
    parts: {
      ...(ca === undefined ? {} : { ca: checkPem(ca, "certificate-authority-data") }),
      ...(certificate === undefined ? {} : { certificate: checkPem(certificate, "client-certificate-data") }),
      ...(key === undefined ? {} : { key: checkPem(key, "client-key-data") }),
      ...(token === undefined ? {} : { token }),
    },
    ...(exec === undefined ? {} : { exec }),
  };
}

/** The URL of an API server: HTTPS, without user, query and fragment. */
export function parseServer(textOfUrl: string): URL {
  const url = URL.canParse(textOfUrl) ? new URL(textOfUrl) : undefined;
  if (url === undefined) throw invalid("has a server that is not a URL");
  if (url.protocol !== "https:")
    throw invalid("has a server that is not https, where anyone could read the credentials");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw invalid("has a server with a user, a query or a fragment in its URL");
  }
  return url;
}

type Entry = { readonly list: string; readonly entry: string; readonly name: string };

function named(config: Record<string, unknown>, { list, entry, name }: Entry): Record<string, unknown> {
  const entries = Array.isArray(config[list]) ? config[list].filter(isRecord) : [];
  const found = entries.filter((candidate) => candidate.name === name);
  if (found.length > 1) throw invalid(`names ${quote(name)} twice in its ${list}`);
  const content = found[0]?.[entry];
  if (!isRecord(content)) throw invalid(`has no ${entry} ${quote(name)}`);
  return content;
}

function refuse(entry: Record<string, unknown>, refused: Readonly<Record<string, string>>): void {
  for (const [field, meaning] of Object.entries(refused)) {
    const content = entry[field];
    if (content !== undefined && content !== null && content !== false && content !== "") {
      throw invalid(`asks for ${meaning} (${field}), which is not done here`);
    }
  }
}

/** `<field>-data` in base64, or the path in `<field>`; the data win, as in kubectl. */
function part(entry: Record<string, unknown>, field: string, trust: KubeconfigTrust): CredentialPart | undefined {
  const path = pathPart(entry, field, trust);
  const data = text(entry, `${field}-data`);
  if (data === undefined) return path;
  if (!/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(data)) throw invalid(`has ${field}-data that is not base64`);
  return { text: Buffer.from(data, "base64").toString("utf8") };
}

function tokenPart(user: Record<string, unknown>, trust: KubeconfigTrust): CredentialPart | undefined {
  // A file that is replaced wins over a copy of what it once held, as in kubectl.
  const path = pathPart(user, "tokenFile", trust) ?? pathPart(user, "token-file", trust);
  const token = text(user, "token");
  if (path !== undefined) return path;
  return token === undefined ? undefined : { text: token };
}

function pathPart(
  entry: Record<string, unknown>,
  field: string,
  { directory }: KubeconfigTrust,
): { readonly path: string } | undefined {
  const path = text(entry, field);
  if (path === undefined) return undefined;
  if (directory === undefined) throw invalid(`names a file (${field}); one that comes as text may only hold data`);
  return { path: isAbsolute(path) ? path : join(directory, path) };
}

function execCommand(user: Record<string, unknown>, trust: KubeconfigTrust): ExecCommand | undefined {
  const exec = user.exec;
  if (exec === undefined || exec === null) return undefined;
  if (!trust.allowExec) throw invalid("asks for a program to be run (exec), which is not allowed here");
  if (!isRecord(exec)) throw invalid("has an exec that is not an object");
  if (exec.interactiveMode === "Always") throw invalid("asks for a program that needs a terminal (exec)");
  const command = required(exec, "command");
  const args = exec.args ?? [];
  const env = exec.env ?? [];
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === "string"))
    throw invalid("has exec args that are no text");
  if (!Array.isArray(env)) throw invalid("has an exec env that is not a list");
  return {
    apiVersion: required(exec, "apiVersion"),
    command:
      trust.directory !== undefined && /\//.test(command) && !isAbsolute(command)
        ? join(trust.directory, command)
        : command,
    args,
    environment: Object.fromEntries(
      env.map((variable) => {
        if (!isRecord(variable)) throw invalid("has an exec env that is not a list of variables");
        return [required(variable, "name"), text(variable, "value") ?? ""];
      }),
    ),
  };
}

/** Data that are wrong are found here, at once; files are read later, and again and again. */
function checkPem(content: CredentialPart, field: string): CredentialPart {
  if (!("text" in content)) return content;
  try {
    if (field === "client-key-data") createPrivateKey(content.text);
    else new X509Certificate(content.text);
  } catch {
    throw invalid(`has ${field} that is not ${field === "client-key-data" ? "a key" : "a certificate"} in PEM`);
  }
  return content;
}

function required(entry: Record<string, unknown>, field: string): string {
  const content = text(entry, field);
  if (content === undefined) throw invalid(`has no ${field}`);
  return content;
}

function text(entry: Record<string, unknown>, field: string): string | undefined {
  const content = entry[field];
  if (content === undefined || content === null || content === "") return undefined;
  if (typeof content !== "string") throw invalid(`has a ${field} that is not text`);
  return content;
}

function invalid(problem: string): KubernetesError {
  return new KubernetesError("config-invalid", `the kubeconfig ${problem}`);
}
