import type { IncomingHttpHeaders } from "node:http";

/** A request as the fake's parts see it. */
export type FakeRequest = {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below /v1/, without a query. */
  readonly path: string;
  readonly list: boolean;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  /** DER of the certificate that the client presented. */
  readonly clientCertificate: Uint8Array | undefined;
};

/** What the fake answers. */
export type FakeAnswer = {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

export function data(fields: Readonly<Record<string, unknown>>): FakeAnswer {
  return { status: 200, body: { data: fields } };
}

export function errors(status: number, ...messages: readonly string[]): FakeAnswer {
  return { status, body: { errors: messages } };
}

export const noContent: FakeAnswer = { status: 204 };
/** As Vault words it. */
export const permissionDenied: FakeAnswer = errors(403, "1 error occurred:\n\t* permission denied\n\n");
export const notFound: FakeAnswer = errors(404);

/** A parameter that is a text, or the default. */
export function textOf(body: FakeRequest["body"], name: string, otherwise = ""): string {
  const value = body[name] ?? otherwise;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A parameter that is a list, or a text with commas, which Vault splits. */
export function listOf(body: FakeRequest["body"], name: string): readonly string[] {
  const value = body[name];
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== "string") return [];
  return value
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** A parameter that is true or false, as itself or as a text. */
export function flagOf(body: FakeRequest["body"], name: string, otherwise = false): boolean {
  const value = body[name] ?? otherwise;
  return value === true || value === "true";
}

/** A parameter that is a duration in seconds, or a text such as "5m"; 0 when it is left out. */
export function secondsOf(body: FakeRequest["body"], name: string): number {
  const value = body[name];
  if (typeof value === "number") return value;
  const [, digits = "0", unit = "s"] = /^(\d+)([smh]?)$/.exec(typeof value === "string" ? value : "0") ?? [];
  return Number(digits) * (unit === "h" ? 3600 : unit === "m" ? 60 : 1);
}
