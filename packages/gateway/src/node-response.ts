import type { HeaderList } from "./gateway-request.ts";
import { type Refusal, refusalHeaders } from "./refusal.ts";

/** A response of `node:http` or of the compatibility API of `node:http2`, as far as it matters here. */
export type NodeResponse = Waiting & {
  statusCode: number;
  readonly headersSent: boolean;
  setHeader(name: string, value: string): unknown;
  appendHeader(name: string, value: string): unknown;
  getHeaderNames(): string[];
  removeHeader(name: string): void;
  end(text: string): unknown;
  destroy(): unknown;
};

/** What an answer goes out on, and what ends early when the client goes away. */
export type Waiting = {
  once(event: "close", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
};

/** Answers a request with a refusal; Node leaves the body of an answer to HEAD out. */
export function writeRefusal(response: NodeResponse, refusal: Refusal): void {
  response.statusCode = refusal.status;
  for (const [name, value] of refusalHeaders(refusal)) response.setHeader(name, value);
  response.end(refusal.body);
}

/** Adds headers to an answer that is yet to be made. */
export function addHeaders(response: NodeResponse, headers: HeaderList): void {
  for (const [name, value] of headers) response.appendHeader(name, value);
}

/** Runs `work` with a signal that aborts when there is nobody to answer any more: the client is gone, or has been answered. */
export async function whileClientWaits<T>(response: Waiting, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  response.once("close", abort);
  try {
    return await work(gone.signal);
  } finally {
    response.off("close", abort);
  }
}
