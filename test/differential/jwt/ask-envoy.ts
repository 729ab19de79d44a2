import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { payloadHeader } from "../support/bootstrap.ts";
import { readEcho } from "../support/echo-upstream.ts";
import { type RawHeaders, valuesOf } from "../support/http1.ts";
import { RawConnection, type RawResponse } from "../support/raw-client.ts";
import type { JwtCase } from "./requests.ts";

/** What became of a request, from one side of the differential; values by header name, in lower case. */
export type JwtOutcome =
  | {
      readonly kind: "through";
      readonly path: string;
      readonly headers: ReadonlyMap<string, readonly string[]>;
      /** What policies would see; absent for an anonymous request. */
      readonly payload?: unknown;
    }
  | { readonly kind: "answered"; readonly status: number; readonly body: string; readonly wwwAuthenticate?: string };

export const host = "shop.example";

/** A connection of each kind to one listener. */
export class EnvoyCaller {
  readonly #path: string;
  #http1: RawConnection | undefined;
  #http2: ClientHttp2Session | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Sends a request with exactly these octets and says what became of it. */
  async ask(asked: JwtCase): Promise<JwtOutcome> {
    return outcomeOf(asked.http2 ? await this.#askHttp2(asked) : await this.#askHttp1(asked));
  }

  close(): void {
    this.#http1?.close();
    this.#http2?.destroy();
  }

  async #askHttp1({ method, path, headers }: JwtCase): Promise<RawResponse> {
    if (this.#http1?.usable !== true) this.#http1 = RawConnection.to({ path: this.#path });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const length = method === "POST" ? "content-length: 0\r\n" : "";
    const octets = Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${length}${lines}\r\n`, "latin1");
    const exchange = await this.#http1.send(octets);
    if (exchange.kind === "closed") throw new Error(`no answer to ${octets.toString("latin1")}`);
    return exchange.response;
  }

  async #askHttp2({ method, path, headers }: JwtCase): Promise<RawResponse> {
    if (this.#http2 === undefined || this.#http2.destroyed) {
      this.#http2 = connectHttp2(`http://${host}`, { createConnection: () => connect(this.#path) });
      this.#http2.on("error", () => undefined);
    }
    const fields: Record<string, string | string[]> = {
      ":method": method,
      ":path": path,
      ":authority": host,
      ":scheme": "http",
    };
    for (const name of new Set(headers.map(([name]) => name.toLowerCase()))) {
      const values = [...valuesOf(headers, name)];
      fields[name] = values.length === 1 ? (values[0] ?? "") : values;
    }
    const stream = this.#http2.request(fields);
    const { promise, resolve, reject } = Promise.withResolvers<RawResponse>();
    const chunks: Buffer[] = [];
    let answer: IncomingHttpHeaders | undefined;
    stream.once("response", (received) => {
      answer = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("error", reject);
    stream.once("end", () => {
      const known: [string, string][] = [];
      for (const [name, value] of Object.entries(answer ?? {})) known.push([name, String(value)]);
      resolve({ status: Number(answer?.[":status"]), headers: known, body: Buffer.concat(chunks).toString("latin1") });
    });
    stream.end();
    return await promise;
  }
}

function outcomeOf({ status, headers, body }: RawResponse): JwtOutcome {
  const seen = readEcho(body);
  if (seen === undefined) {
    const [wwwAuthenticate] = valuesOf(headers, "www-authenticate");
    return { kind: "answered", status, body, ...(wwwAuthenticate === undefined ? {} : { wwwAuthenticate }) };
  }
  const path = seen.startLine.slice(seen.startLine.indexOf(" ") + 1, seen.startLine.lastIndexOf(" "));
  const [payload = ""] = valuesOf(seen.headers, payloadHeader);
  return {
    kind: "through",
    path,
    headers: indexed(seen.headers.filter(([name]) => !ofEnvoy.has(name.toLowerCase()))),
    ...(payload === "" || payload === "-"
      ? {}
      : { payload: JSON.parse(Buffer.from(payload, "latin1").toString("utf8")) as unknown }),
  };
}

/** Headers that Envoy writes on its own, or that belong to the connection. */
const ofEnvoy: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "x-forwarded-proto",
  "x-envoy-internal",
  payloadHeader,
]);

/** Values by name; those that Envoy keeps as one value are put together as it does. */
export function indexed(headers: RawHeaders): ReadonlyMap<string, readonly string[]> {
  const grouped = Map.groupBy(headers, ([name]) => name.toLowerCase());
  return new Map(
    [...grouped]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, entries]) => [
        name,
        joined(
          name,
          entries.map(([, value]) => value),
        ),
      ]),
  );
}

function joined(name: string, values: readonly string[]): readonly string[] {
  const joiner = name === "cookie" ? "; " : joinedByComma.has(name) ? "," : undefined;
  // Nothing stands before or after a value that is empty, and no parser keeps the space around one.
  return (joiner === undefined ? values : [values.filter((value) => value !== "").join(joiner)]).map(trimmed);
}

function trimmed(value: string): string {
  return value.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
}

const joinedByComma: ReadonlySet<string> = new Set([
  ...["authorization", "origin", "access-control-request-method", "user-agent", "x-envoy-original-path"],
]);
