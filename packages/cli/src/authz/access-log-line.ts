import type { RequestSketch } from "./request-sketch.ts";

/** What a line of an access log tells. */
export type LoggedRequest = {
  readonly sketch: RequestSketch;
  /** `%RESPONSE_CODE%`, and `%RESPONSE_CODE_DETAILS%` where the line has it. */
  readonly status: number;
  readonly details?: string;
};

/**
 * Returns the request of a line of Envoy's access log: in Istio's text format, in Envoy's own, or as JSON with Istio's names.
 *
 * No format has the peer's principal or most of the headers. The address of the client is taken for the peer's too. Throws
 * an error that says why a line cannot be read.
 */
export function parseAccessLogLine(line: string): LoggedRequest {
  const text = line.trim();
  return text.startsWith("{") ? parseJsonLine(text) : parseTextLine(text);
}

/** Envoy escapes what a client could break a line with. */
const token = /\[[^\]]*\](?=\s)|"((?:[^"\\]|\\.)*)"|(\S+)/g;

function parseTextLine(text: string): LoggedRequest {
  const start = text.indexOf("[");
  const tokens = [...text.slice(Math.max(start, 0)).matchAll(token)].map(([all, quoted]) => quoted ?? all);
  const [, requestLine = "", status = "", , ...rest] = tokens;
  const [, method, path] = /^(\S+) (\S+) \S+$/.exec(requestLine) ?? [];
  if (start < 0 || method === undefined || path === undefined || !/^\d{1,3}$/.test(status)) {
    throw new Error('a line is wanted such as [<time>] "GET /path HTTP/1.1" 403 - ...');
  }
  // Istio's format has details, termination details and the failure of the transport before the three numbers.
  const numbers = rest.findIndex((_, at) => [0, 1, 2].every((next) => /^\d+$/.test(rest[at + next] ?? "")));
  if (numbers < 0) throw new Error("there are no numbers of octets and milliseconds in it");
  const [, , , , forwarded, agent, id, authority, , , , local, remote, serverName] = rest.slice(numbers);
  const details = numbers > 0 ? unlessDash(rest[0]) : undefined;
  return logged({
    method,
    path,
    authority,
    forwarded,
    agent,
    id,
    local,
    remote,
    serverName,
    status: Number(status),
    details,
  });
}

function parseJsonLine(text: string): LoggedRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
  const fields = new Map<string, unknown>(Object.entries(Object(value)));
  const field = (name: string): string | undefined => {
    const found = fields.get(name);
    return typeof found === "string" ? found : undefined;
  };
  const status = Number(fields.get("response_code"));
  const [method, path] = [field("method"), field("path")];
  if (method === undefined || path === undefined) throw new Error("there is no method and no path in it");
  return logged({
    ...{ method, path, authority: field("authority"), forwarded: field("x_forwarded_for"), agent: field("user_agent") },
    ...{
      id: field("request_id"),
      local: field("downstream_local_address"),
      remote: field("downstream_remote_address"),
    },
    ...{ serverName: field("requested_server_name"), details: unlessDash(field("response_code_details")) },
    status: Number.isInteger(status) ? status : 0,
  });
}

type Fields = Readonly<
  Record<"authority" | "forwarded" | "agent" | "id" | "local" | "remote" | "serverName" | "details", string | undefined>
> & { readonly method: string; readonly path: string; readonly status: number };

function logged(fields: Fields): LoggedRequest {
  const { method, path, status, details } = fields;
  const [host, forwarded, agent, id, sni] = [
    fields.authority,
    fields.forwarded,
    fields.agent,
    fields.id,
    fields.serverName,
  ].map(unlessDash);
  const local = addressOf(fields.local);
  const remote = addressOf(fields.remote);
  const headers = [
    ...(forwarded === undefined ? [] : [["x-forwarded-for", forwarded] as const]),
    ...(agent === undefined ? [] : [["user-agent", agent] as const]),
    ...(id === undefined ? [] : [["x-request-id", id] as const]),
  ];
  const sketch: RequestSketch = {
    ...{ method, path, headers },
    ...(host !== undefined && { host }),
    ...(sni !== undefined && { sni }),
    ...(remote !== undefined && { sourceIp: remote.ip }),
    ...(local !== undefined && { destinationIp: local.ip, port: local.port }),
  };
  return { sketch, status, ...(details !== undefined && { details }) };
}

function unlessDash(text: string | undefined): string | undefined {
  return text === undefined || text === "-" || text === "" ? undefined : text;
}

function addressOf(text: string | undefined): { readonly ip: string; readonly port: number } | undefined {
  const [, six, four, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text ?? "") ?? [];
  const ip = six ?? four;
  return ip === undefined ? undefined : { ip, port: Number(port) };
}
