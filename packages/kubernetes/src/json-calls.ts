import { type Clock, errorCode, withDeadline } from "@signet/runtime";
import { KubernetesError } from "./errors.ts";
import { statusError } from "./status-error.ts";
import type { Transport, TransportAnswer, TransportRequest } from "./transport.ts";

/** One call: JSON there, JSON back. */
export type JsonCall = {
  readonly method: TransportRequest["method"];
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default "application/json". */
  readonly contentType?: string;
  /** Whether the body holds a secret, so that no error may repeat what the server says of it. */
  readonly secret?: boolean;
  /** Whether it changes nothing although it is no GET. */
  readonly repeatable?: boolean;
};

/** What came back; `value` is undefined when the body of a refusal was not JSON. */
export type JsonAnswer = { readonly status: number; readonly value: unknown; readonly retryAfter?: string | undefined };

/** Makes calls within their bounds of time and size. */
export interface JsonCalls {
  /** The answer, whatever its status is; a success that is not JSON is `response-malformed`. */
  ask(call: JsonCall, signal: AbortSignal): Promise<JsonAnswer>;
  /** The JSON of a success. */
  json(call: JsonCall, signal: AbortSignal): Promise<unknown>;
  /** The answer to a GET while it comes in, once its status is a success; `signal` ends the body too, and has to be aborted after a failure. */
  open(path: string, signal: AbortSignal): Promise<TransportAnswer>;
}

/** What bounds the calls. */
export type CallBounds = { readonly clock: Clock; readonly deadlineMs: number; readonly maxResponseBytes: number };

const maxRefusalBytes = 65_536;

/** Calls over a transport. */
export function createJsonCalls(transport: Transport, bounds: CallBounds): JsonCalls {
  async function ask(call: JsonCall, signal: AbortSignal): Promise<JsonAnswer> {
    const request = requestOf(call);
    return inTime(
      describe(call),
      async (working) => readAnswer(await transport.send(request, working), bounds.maxResponseBytes),
      signal,
    );
  }

  async function inTime<T>(what: string, work: (working: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await withDeadline({ clock: bounds.clock, ms: bounds.deadlineMs, what }, work, signal);
    } catch (error) {
      // One connection without a word, whosever patience ended first: the idle ones lead the same way.
      if (errorCode(signal.aborted ? signal.reason : error) === "deadline-exceeded") transport.distrustIdle();
      signal.throwIfAborted();
      if (error instanceof KubernetesError || errorCode(error) !== "deadline-exceeded") throw error;
      throw new KubernetesError("deadline-exceeded", `no answer to ${what} within ${bounds.deadlineMs}ms`);
    }
  }

  return {
    ask,
    async json(call, signal) {
      const answer = await ask(call, signal);
      if (!isSuccess(answer.status)) throw refusalOf(call, answer);
      return answer.value;
    },
    async open(path, signal) {
      const call = { method: "GET", path } as const;
      // On the caller's signal, not the deadline's: the body outlives the deadline.
      const request = { ...call, repeatable: true, stream: true };
      const answer = await inTime(describe(call), () => transport.send(request, signal), signal);
      if (isSuccess(answer.status)) return answer;
      throw refusalOf(call, await inTime(describe(call), () => readAnswer(answer, maxRefusalBytes), signal));
    },
  };
}

/** The error for an answer that is no success. */
export function refusalOf(call: JsonCall, { status, value, retryAfter }: JsonAnswer): KubernetesError {
  return statusError({ status, what: describe(call), body: value, retryAfter, secret: call.secret === true });
}

/** Whether a status is a success. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

function describe({ method, path }: JsonCall): string {
  return `${method} ${path.split("?", 1)[0]}`;
}

function requestOf(call: JsonCall): TransportRequest {
  const { method, path, contentType = "application/json" } = call;
  const request = { method, path, repeatable: method === "GET" || call.repeatable === true };
  return call.body === undefined ? request : { ...request, body: { contentType, text: JSON.stringify(call.body) } };
}

async function readAnswer(answer: TransportAnswer, maxBytes: number): Promise<JsonAnswer> {
  const { status } = answer;
  const success = isSuccess(status);
  const text = await readText(answer, success ? maxBytes : Math.min(maxBytes, maxRefusalBytes));
  const value = parseJson(text);
  if (success && value === undefined) throw new KubernetesError("response-malformed", "an answer is not JSON");
  return { status, value, retryAfter: answer.header("retry-after") };
}

/** The body as text; undefined when it is longer than a refusal may be. */
async function readText(answer: TransportAnswer, maxBytes: number): Promise<string | undefined> {
  const success = isSuccess(answer.status);
  if (success && Number(answer.header("content-length") ?? 0) > maxBytes) {
    answer.discard();
    throw tooLarge(maxBytes);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > maxBytes) {
      answer.discard();
      if (success) throw tooLarge(maxBytes);
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function tooLarge(maxBytes: number): KubernetesError {
  return new KubernetesError("response-too-large", `an answer exceeds ${maxBytes} bytes`);
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
