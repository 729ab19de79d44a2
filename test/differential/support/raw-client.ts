import { connect, type Socket } from "node:net";
import { type RawHeaders, readBody, readHead } from "./http1.ts";

/** An answer as it came; text is one character per octet. */
export type RawResponse = { readonly status: number; readonly headers: RawHeaders; readonly body: string };

/** Where to connect: a Unix socket, or an address. */
export type Endpoint = { readonly path: string } | { readonly host: string; readonly port: number };

/** What became of octets that were sent: an answer, or a connection that ended without one. */
export type Exchange = { readonly kind: "response"; readonly response: RawResponse } | { readonly kind: "closed" };

/** Anything that a request can be written to and an answer read from. */
export type Wire = Pick<Socket, "on" | "write" | "destroy">;

const answerLimitMs = 30_000;

/** One connection that sends exact octets, one request after the other. */
export class RawConnection {
  readonly #wire: Wire;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(wire: Wire) {
    this.#wire = wire;
    wire.on("data", (octets: Buffer) => {
      this.#received = this.#received.length === 0 ? octets : Buffer.concat([this.#received, octets]);
      this.#wake?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    wire.on("error", end);
    wire.on("close", end);
    wire.on("end", end);
  }

  static to(endpoint: Endpoint): RawConnection {
    return new RawConnection(connect({ ...endpoint, noDelay: true } as never));
  }

  get usable(): boolean {
    return !this.#ended;
  }

  /** Sends a request and resolves with what comes back; `bodyless` for methods whose answers have no body. */
  async send(octets: Buffer, bodyless = false): Promise<Exchange> {
    if (this.#ended) return { kind: "closed" };
    this.#wire.write(octets);
    const until = performance.now() + answerLimitMs;
    for (;;) {
      const response = this.#take(bodyless);
      if (response !== undefined) return { kind: "response", response };
      if (this.#ended) return { kind: "closed" };
      if (performance.now() > until) throw new Error(`no answer to ${JSON.stringify(octets.toString("latin1"))}`);
      await this.#more();
    }
  }

  close(): void {
    this.#wire.destroy();
  }

  #take(bodyless: boolean): RawResponse | undefined {
    const head = readHead(this.#received);
    if (head === undefined) return undefined;
    const status = Number(head.startLine.split(" ")[1]);
    const whole = bodyless ? { body: "", end: head.bodyAt } : readBody(this.#received, head);
    if (whole === undefined) return undefined;
    this.#received = this.#received.subarray(whole.end);
    // The peer says that it will not read on.
    if (head.headers.some(([name, value]) => name.toLowerCase() === "connection" && value === "close"))
      this.#ended = true;
    return { status, headers: head.headers, body: whole.body };
  }

  async #more(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, answerLimitMs);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }
}
