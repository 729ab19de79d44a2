import { isIP } from "node:net";
import type { DocumentPosition, DocumentProblem } from "./document-problem.ts";
import type { DocumentText } from "./document-text.ts";
import { parseDurationMs } from "./duration.ts";
import type { FieldReader } from "./field-reader.ts";
import { printable } from "./rule-values.ts";
import { isDnsLabel, isDnsSubdomain } from "./workload.ts";

/** Somebody who is asked about requests that a CUSTOM policy matches. */
export type ExtensionProvider = GrpcProvider | HttpProvider | InvalidProvider;

/** Asked by Envoy's `envoy.service.auth.v3.Authorization/Check`. */
export type GrpcProvider = ProviderCall & { readonly kind: "grpc" };

/** Asked by an HTTP request with the method and path of the one in question. Names of headers may have a star at one end. */
export type HttpProvider = ProviderCall & {
  readonly kind: "http";
  /** Empty, or beginning with a slash. */
  readonly pathPrefix: string;
  /** Headers of the request that are sent to the provider, besides those that always are. */
  readonly includeRequestHeadersInCheck: readonly string[];
  /** Headers that are added to what is sent to the provider. */
  readonly includeAdditionalHeadersInCheck: ReadonlyMap<string, string>;
  readonly headersToUpstreamOnAllow: readonly string[];
  readonly headersToDownstreamOnDeny: readonly string[];
  readonly headersToDownstreamOnAllow: readonly string[];
};

/** One that cannot be used: whatever it would have been asked about is denied. Its name may be empty, or another's too. */
export type InvalidProvider = ProviderName & {
  readonly kind: "invalid";
  readonly problems: readonly DocumentProblem[];
};

type ProviderName = { readonly name: string; readonly position: DocumentPosition };

type ProviderCall = ProviderName & {
  readonly service: ProviderService;
  readonly port: number;
  /** At least 1; default 600000, as in Istio. */
  readonly timeoutMs: number;
  /** Whether requests pass when the provider does not answer. Default false. */
  readonly failOpen: boolean;
  /** Default false. */
  readonly clearRouteCache: boolean;
  /** The status of what is denied because the provider does not answer; default 403. */
  readonly statusOnError?: number;
  /** Absent where the provider does not see the body of a request. */
  readonly body?: CheckedBody;
};

/** Where a provider is: a host, and the namespace of its service if that is said. */
export type ProviderService = { readonly host: string; readonly namespace?: string };

/** How much of a body a provider sees. */
export type CheckedBody = {
  readonly maxRequestBytes: number;
  readonly allowPartialMessage: boolean;
  readonly packAsBytes: boolean;
};

const defaultTimeoutMs = 600_000;

/** The statuses that Envoy's API has a name for. */
const statuses: ReadonlySet<number> = new Set([
  ...[100, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402],
  ...[403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 426, 428, 429],
  ...[431, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
]);

/**
 * Reads `extensionProviders`: those of `envoyExtAuthzGrpc` and `envoyExtAuthzHttp`, since others are not asked about requests.
 *
 * What is wrong with one makes it invalid, and the mesh config stays as it is; `about` is what positions are told by.
 */
export function readExtensionProviders(mesh: FieldReader, about: DocumentText): readonly ExtensionProvider[] {
  const read = mesh.maps("extensionProviders").flatMap((entry) => readProvider(entry.apart(), about));
  const count = new Map<string, number>();
  for (const { name } of read) count.set(name, (count.get(name) ?? 0) + 1);
  return read.map((provider) => {
    const { name, position } = provider;
    if (provider.kind === "invalid" || count.get(name) === 1) return provider;
    const message = `is not valid: extension provider name must be unique, found duplicate: ${printable(name)}`;
    const problem = { path: "extensionProviders", message, ...position };
    return { kind: "invalid", name, position, problems: [problem] };
  });
}

function readProvider(
  { reader: entry, about: own }: ReturnType<FieldReader["apart"]>,
  about: DocumentText,
): readonly ExtensionProvider[] {
  const grpc = entry.map("envoyExtAuthzGrpc");
  const http = entry.map("envoyExtAuthzHttp");
  if (!entry.holds("envoyExtAuthzGrpc") && !entry.holds("envoyExtAuthzHttp")) return [];
  if (grpc !== undefined && http !== undefined) entry.report("is not valid: it is of more than one kind");
  const name = entry.parsed("name", readName);
  if (!entry.holds("name")) entry.report("is not valid: extension provider name must not be empty");
  const named = { name: name ?? entry.text("name") ?? "", position: about.position(entry.offset) };
  const call = grpc ?? http;
  const read = call && readCall(call);
  const provider = read && (grpc !== undefined ? { kind: "grpc" as const } : http && readHttp(http));
  if (own.problems.length > 0 || read === undefined || provider === undefined) {
    return [{ kind: "invalid", ...named, problems: own.problems }];
  }
  return [{ ...named, ...read, ...provider }];
}

/** A DNS label: names of providers become parts of names in Envoy's configuration. */
function readName(text: string): string {
  if (isDnsLabel(text)) return text;
  throw new Error("invalid provider name: a DNS label in lower case of at most 63 characters is wanted");
}

function readCall(call: FieldReader): Omit<ProviderCall, keyof ProviderName> | undefined {
  const service = call.parsed("service", readService);
  if (!call.holds("service")) call.report("is not valid: service must not be empty");
  const port = call.integer("port") ?? (call.holds("port") ? undefined : 0);
  if (port !== undefined && (port < 1 || port > 65_535)) {
    const why = `port must be in the range [1, 65535], found: ${port}`;
    call.report(`is not valid: ${why}`, call.holds("port") ? "port" : undefined);
  }
  const statusOnError = call.parsed("statusOnError", readStatus);
  const body = readBody(call);
  if (service === undefined || port === undefined) return undefined;
  return {
    service,
    port,
    timeoutMs: call.parsed("timeout", parseDurationMs) ?? defaultTimeoutMs,
    failOpen: call.bool("failOpen") ?? false,
    clearRouteCache: call.bool("clearRouteCache") ?? false,
    ...(statusOnError !== undefined && { statusOnError }),
    ...(body !== undefined && { body }),
  };
}

function readService(text: string): ProviderService {
  const [first = "", second, more] = text.split("/");
  if (second === undefined) {
    if (isIP(first) > 0 || isHost(first)) return { host: first };
  } else if (more === undefined && isDnsLabel(first) && isHost(second)) {
    return { namespace: first, host: second };
  }
  throw new Error(`invalid service ${printable(text)}: a host or namespace/host is wanted`);
}

function isHost(text: string): boolean {
  return isDnsSubdomain(text.toLowerCase().replace(/\.$/, ""));
}

function readStatus(text: string): number {
  const status = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (!statuses.has(status)) throw new Error(`unsupported statusOnError ${printable(text)}`);
  return status;
}

function readBody(call: FieldReader): CheckedBody | undefined {
  const body = call.map("includeRequestBodyInCheck");
  if (body === undefined) return undefined;
  const maxRequestBytes = body.integer("maxRequestBytes") ?? 0;
  // Envoy refuses the whole listener.
  if (maxRequestBytes === 0) body.report("is not valid: maxRequestBytes must be greater than 0");
  return {
    maxRequestBytes,
    allowPartialMessage: body.bool("allowPartialMessage") ?? false,
    packAsBytes: body.bool("packAsBytes") ?? false,
  };
}

function readHttp(http: FieldReader): Omit<HttpProvider, keyof ProviderCall> {
  const list = (name: string): readonly string[] =>
    http.parsedList(name, (text) => {
      if (text !== "*") return text;
      throw new Error('a single wildcard ("*") is not supported, change it to either prefix or suffix match');
    });
  const current = list("includeRequestHeadersInCheck");
  const deprecated = list("includeHeadersInCheck");
  return {
    kind: "http",
    pathPrefix: http.parsed("pathPrefix", readPathPrefix) ?? "",
    includeRequestHeadersInCheck: current.length > 0 ? current : deprecated,
    includeAdditionalHeadersInCheck: readAdditionalHeaders(http),
    headersToUpstreamOnAllow: list("headersToUpstreamOnAllow"),
    headersToDownstreamOnDeny: list("headersToDownstreamOnDeny"),
    headersToDownstreamOnAllow: list("headersToDownstreamOnAllow"),
  };
}

function readPathPrefix(text: string): string {
  if (!text.startsWith("/")) throw new Error(`pathPrefix must begin with \`/\`, found: "${printable(text)}"`);
  if (/[^\u0021-\u007e]/.test(text) || /%(?![0-9A-Fa-f]{2})/.test(text)) throw new Error("invalid pathPrefix");
  return text;
}

function readAdditionalHeaders(http: FieldReader): ReadonlyMap<string, string> {
  const headers = http.map("includeAdditionalHeadersInCheck");
  const read = new Map<string, string>();
  for (const name of headers?.names() ?? []) {
    const value = headers?.text(name) ?? "";
    if (!/^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
      headers?.report("is not valid: it is the name of no header", name);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what ends a header
    if (/[\u0000\r\n]/.test(value)) headers?.report("is not valid: the value of a header is one line", name);
    read.set(name, value);
  }
  return read;
}
