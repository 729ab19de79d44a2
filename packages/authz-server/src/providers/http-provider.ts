import { request as httpRequest, type IncomingMessage } from "node:http";
import type { CustomAnswer, CustomQuestion } from "@signet/authorizer";
import type { ExtensionProvider } from "@signet/documents";

type HttpProvider = Extract<ExtensionProvider, { kind: "http" }>;
type Header = readonly [name: string, value: string];

/** Headers of the request that are always part of the question, as Envoy sends them. */
const alwaysSent: readonly string[] = ["authorization"];
const maxBodyBytes = 65_536;

/**
 * Asks a provider of HTTP as Envoy does: with the method and the path of the request, 200 allows, 5xx is no answer, anything
 * else is the refusal itself.
 */
export async function askHttpProvider(
  provider: HttpProvider,
  { request }: CustomQuestion,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<CustomAnswer> {
  if (request.tcp) throw new Error("a provider of HTTP cannot be asked about TCP");
  const sent = request.headers.filter(([name]) =>
    matches([...alwaysSent, ...provider.includeRequestHeadersInCheck], name),
  );
  const headers = groupOf([
    ...sent,
    ...[...provider.includeAdditionalHeadersInCheck].map(([name, value]): Header => [name, value]),
  ]);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  httpRequest(
    {
      host: provider.service.host,
      port: provider.port,
      method: request.method,
      path: `${provider.pathPrefix}${request.path}`,
      headers: { ...headers, host: request.host, "content-length": "0" },
      agent: false,
      signal: until,
    },
    resolve,
  )
    .on("error", reject)
    .end();
  const response = await promise;
  const answered = pairsOf(response);
  const status = response.statusCode ?? 0;
  // Who has denied has denied, also where the rest of the answer cannot be had: `failOpen` is for those that say nothing.
  const isDenial = status > 200 && status < 500;
  const body = await readBody(response).catch((error: unknown) => {
    if (!isDenial) throw error;
    return "";
  });
  signal.throwIfAborted();
  if (status >= 500 || status < 200) throw new Error(`the provider answers with status ${status}`);
  const picked = (patterns: readonly string[]): readonly Header[] =>
    answered.filter(([name]) => matches(patterns, name));
  if (status !== 200) {
    // Without a list Envoy hands on all but what is about the connection.
    const list = provider.headersToDownstreamOnDeny;
    const shown =
      list.length === 0
        ? answered.filter(([name]) => !ofConnection.has(name))
        : picked(["location", "www-authenticate", "set-cookie", ...list]);
    return { kind: "denied", answer: { status, body, headers: shown } };
  }
  const upstream = picked(provider.headersToUpstreamOnAllow);
  return {
    kind: "allowed",
    upstream: { remove: [...new Set(upstream.map(([name]) => name))], add: upstream },
    downstream: picked(provider.headersToDownstreamOnAllow),
  };
}

const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "transfer-encoding",
  "keep-alive",
  "date",
  "host",
]);

/** Whether a name is one of some names, which may have a star at one end; case does not count. */
function matches(patterns: readonly string[], name: string): boolean {
  const lower = name.toLowerCase();
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    if (wanted.startsWith("*")) return lower.endsWith(wanted.slice(1));
    return wanted.endsWith("*") ? lower.startsWith(wanted.slice(0, -1)) : lower === wanted;
  });
}

function groupOf(headers: readonly Header[]): Record<string, string[]> {
  const groups = Map.groupBy(headers, ([name]) => name.toLowerCase());
  return Object.fromEntries([...groups].map(([name, pairs]) => [name, pairs.map(([, value]) => value)]));
}

function pairsOf({ rawHeaders }: IncomingMessage): readonly Header[] {
  return rawHeaders.flatMap((name, at) =>
    at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1] ?? ""] as const] : [],
  );
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new Error(`the provider answers with more than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("latin1");
}
