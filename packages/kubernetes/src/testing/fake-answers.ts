import { FakeRefusal } from "./fake-refusal.ts";
import type { FakeResult } from "./fake-routes.ts";
import { ConnectionCut } from "./fake-watches.ts";

/** What goes out; a body that throws `ConnectionCut` has its connection cut there. */
export type FakeOutgoing = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The length that is announced, when the body has one. */
  readonly length?: number;
  readonly body: AsyncIterable<string>;
};

/** What is wrong with a fake API server, for requests that begin while it is so; `only` chooses among them. */
export type FakeFault = FakeFaultKind & { readonly only?: (request: FakeRequest) => boolean };

/** The kinds of faults. */
export type FakeFaultKind =
  | { readonly kind: "status"; readonly status: number; readonly retryAfterSeconds?: number; readonly reason?: string }
  /** Bytes that are no JSON, with status 200. */
  | { readonly kind: "garbage" }
  /** The first half of the right answer, then the connection ends; nothing of a watch. */
  | { readonly kind: "truncated" }
  /** The right answer, `ms` milliseconds late by the fake's clock. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The request is taken and nothing is ever said. */
  | { readonly kind: "half-open" }
  | { readonly kind: "reset" };

/** A request that the fake saw: method, path without query, and whether it is a watch. Bodies are not kept. */
export type FakeRequest = { readonly method: string; readonly path: string; readonly watch: boolean };

/** The answer that a fault wants. */
export function refusalOf(fault: Extract<FakeFault, { kind: "status" }>): FakeRefusal {
  const { status, reason, retryAfterSeconds } = fault;
  return new FakeRefusal(status, "as the test wants it", {
    ...(reason === undefined ? {} : { reason }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** A result on its way out. */
export function answerOf(result: FakeResult): FakeOutgoing {
  if ("json" in result) return textAnswer(result.status, JSON.stringify(result.json));
  return { status: 200, headers: { "content-type": "application/json" }, body: result.lines };
}

/** A refusal on its way out. */
export function refusalAnswer(refusal: FakeRefusal): FakeOutgoing {
  const { retryAfterSeconds } = refusal;
  const answer = textAnswer(refusal.status, JSON.stringify(refusal.body()));
  if (retryAfterSeconds === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, "retry-after": String(retryAfterSeconds) } };
}

/** JSON, or what claims to be. */
export function textAnswer(status: number, text: string): FakeOutgoing {
  return { status, headers: { "content-type": "application/json" }, length: Buffer.byteLength(text), body: once(text) };
}

async function* once(text: string): AsyncGenerator<string, void, undefined> {
  yield text;
}

/** The first half of an answer. */
export function truncated(answer: FakeOutgoing): FakeOutgoing {
  async function* half(): AsyncGenerator<string, void, undefined> {
    if (answer.length !== undefined) for await (const text of answer.body) yield text.slice(0, text.length / 2);
    throw new ConnectionCut();
  }
  return { ...answer, body: half() };
}

/** Waits for the end of the request. */
export async function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
