import type { AttributedRequest } from "@signet/authorizer";
import type { SettingsOf } from "@signet/runtime";
import type { CommandIo } from "../input/command-io.ts";
import { readRequests } from "../input/read-requests.ts";
import { readToken } from "../input/read-token.ts";
import { type LoggedRequest, parseAccessLogLine } from "./access-log-line.ts";
import { parseCurlLine } from "./curl-line.ts";
import type { explainSettings } from "./explain-settings.ts";
import { applySketch, emptyRequest, type RequestSketch } from "./request-sketch.ts";

/** Values of the flags of `signet authz explain`. */
export type ExplainValues = SettingsOf<typeof explainSettings>;

/** The request that a command line describes, and what a log said became of it. */
export type DescribedRequest = {
  readonly request: AttributedRequest;
  /** Whether its path is as a proxy has made it; else it is as the client sent it. */
  readonly isNormalized: boolean;
  readonly logged?: Pick<LoggedRequest, "status" | "details">;
};

/** Longest text of a command or a line, in UTF-16 code units. */
const maxLength = 1_048_576;

/** Reads what a command line says of a request: one text that describes it, and flags, which outrank the text. */
export async function describedRequest(values: ExplainValues, io: Pick<CommandIo, "stdin">): Promise<DescribedRequest> {
  const texts = [values.request, values.curl, values.accessLog].filter((text) => text !== undefined);
  if (texts.length > 1) throw new Error("a request is described by one of --request, --curl and --access-log");
  if ([...texts, values.tokenFile].filter((text) => text === "-").length > 1) {
    throw new Error("standard input is read for one flag alone");
  }
  const { request, logged } = await readText(values, io);
  const token = values.tokenFile === undefined ? undefined : await readToken(values.tokenFile, io);
  const sketched = applySketch(request, sketchOf(values, token));
  const described =
    values.claims === undefined
      ? sketched
      : {
          ...sketched,
          filterMetadata: { ...sketched.filterMetadata, "envoy.filters.http.jwt_authn": { payload: values.claims } },
        };
  const isNormalized = values.request !== undefined && values.path === undefined;
  return { request: described, isNormalized, ...(logged !== undefined && { logged }) };
}

async function readText(
  values: ExplainValues,
  io: Pick<CommandIo, "stdin">,
): Promise<Omit<DescribedRequest, "isNormalized">> {
  if (values.request !== undefined) {
    for await (const read of readRequests(values.request, io)) {
      if (read.kind === "request") return { request: read.request };
      throw new Error(`--request: line ${read.line}: ${read.problem}`);
    }
    throw new Error("--request: there is no request in it");
  }
  if (values.curl !== undefined) {
    const sketch = parse("--curl", await textOf(values.curl, io), parseCurlLine);
    return { request: applySketch(emptyRequest, sketch) };
  }
  if (values.accessLog === undefined) return { request: emptyRequest };
  const { sketch, status, details } = parse("--access-log", await textOf(values.accessLog, io), parseAccessLogLine);
  return {
    request: applySketch(emptyRequest, sketch),
    logged: { status, ...(details !== undefined && { details }) },
  };
}

function parse<T>(flag: string, text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    throw new Error(`${flag} cannot be read: ${error instanceof Error ? error.message : "it is no such text"}`);
  }
}

async function textOf(text: string, { stdin }: Pick<CommandIo, "stdin">): Promise<string> {
  if (text !== "-") return text;
  let read = "";
  for await (const chunk of stdin) {
    read += chunk.toString();
    if (read.length > maxLength) throw new Error(`standard input has more than ${maxLength} characters`);
  }
  return read;
}

function sketchOf(values: ExplainValues, token: string | undefined): RequestSketch {
  const { method, scheme, host, path, principal, sourceIp, remoteIp, destinationIp, port, sni } = values;
  const bearer = token === undefined ? [] : [["authorization", `Bearer ${token}`] as const];
  return {
    ...(method !== undefined && { method }),
    ...(scheme !== undefined && { scheme }),
    ...(host !== undefined && { host }),
    ...(path !== undefined && { path }),
    ...(principal !== undefined && { principal }),
    ...(sourceIp !== undefined && { sourceIp }),
    ...(remoteIp !== undefined && { remoteIp }),
    ...(destinationIp !== undefined && { destinationIp }),
    ...(port !== undefined && { port }),
    ...(sni !== undefined && { sni }),
    ...(values.tcp && { tcp: true }),
    headers: [...values.header.map(readHeader), ...bearer],
  };
}

/** Takes `--header` off a command line: lists are split at commas, and values of headers have commas. */
export function splitHeaders(args: readonly string[]): {
  readonly headers: readonly string[];
  readonly rest: readonly string[];
} {
  const headers: string[] = [];
  const rest: string[] = [];
  const queue = [...args];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    const [value] = queue;
    if (arg.startsWith("--header=")) headers.push(arg.slice("--header=".length));
    else if (arg === "--header" && value !== undefined) headers.push(queue.shift() ?? "");
    else rest.push(arg);
  }
  return { headers, rest };
}

function readHeader(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(":", 1);
  if (colon < 0) throw new Error('--header wants "name: value"');
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}
