import type { IncomingMessage } from "node:http";
import { request as requestInClear } from "node:http";
import { type RequestOptions, request } from "node:https";
import { buffer } from "node:stream/consumers";

/** How to reach a server. */
export type HttpsServer = {
  /** https; http too, for a server of somebody else's that has it. */
  readonly url: string;
  /** Absent: the authorities that Node knows. */
  readonly caPem?: string | undefined;
  readonly clientCertificate?: { readonly certificatePem: string; readonly privateKeyPem: string };
};

/** One request; an object as body is sent as JSON. */
export type HttpsCall = {
  readonly method: string;
  /** With the leading slash. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** 30 seconds when absent. */
  readonly timeoutMs?: number;
};

/** What came back. */
export type HttpsAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The parsed JSON, the text where it is none, or undefined where there was nothing. */
  readonly body: unknown;
  /** What is found in the body on this path; undefined when there is no such thing. */
  at(...path: readonly (string | number)[]): unknown;
  /** The string there; throws, with the status and the body, when there is none. */
  textAt(...path: readonly (string | number)[]): string;
};

/** Sends one request on a connection of its own. */
export async function httpsJson(server: HttpsServer, call: HttpsCall): Promise<HttpsAnswer> {
  const text = call.body === undefined ? undefined : JSON.stringify(call.body);
  const options: RequestOptions = {
    method: call.method,
    ca: server.caPem,
    cert: server.clientCertificate?.certificatePem,
    key: server.clientCertificate?.privateKeyPem,
    agent: false,
    signal: AbortSignal.timeout(call.timeoutMs ?? 30_000),
    headers: { ...(text !== undefined && { "content-type": "application/json" }), ...call.headers },
  };
  const { promise, resolve, reject } = Promise.withResolvers<HttpsAnswer>();
  const url = new URL(call.path, server.url);
  const sent = (url.protocol === "http:" ? requestInClear : request)(url, options, (response) => {
    buffer(response).then((bytes) => resolve(answerOf(response, parsed(bytes.toString("utf8")))), reject);
  });
  sent.once("error", reject);
  sent.end(text);
  return await promise;
}

function answerOf(response: IncomingMessage, body: unknown): HttpsAnswer {
  const status = response.statusCode ?? 0;
  function at(...path: readonly (string | number)[]): unknown {
    return path.reduce<unknown>((value, key) => Object(value)[key], body);
  }
  function textAt(...path: readonly (string | number)[]): string {
    const text = at(...path);
    if (typeof text !== "string") throw new Error(`${path.join(".")} is not in ${status} ${JSON.stringify(body)}`);
    return text;
  }
  return { status, headers: response.headers, body, at, textAt };
}

function parsed(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
