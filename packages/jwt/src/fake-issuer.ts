import type { Clock } from "@signet/runtime";
import type { HttpGet } from "./http-get.ts";
import type { JwksSource, KeyLookup } from "./issuer.ts";
import { createJwksSource, type JwksSourceOptions } from "./jwks-source.ts";
import { publicJwk } from "./sign-jwt.ts";
import { testSigningKey } from "./testing.ts";

/** An issuer's HTTP side as a script, for tests: what it answers now, and what it was asked. */
export class FakeIssuer {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly requests: string[] = [];
  /** A JWKS, a status, or a failure of the network. */
  answer: string | Buffer | number | Error = jwksOf("k1");
  /** While set, answers wait for it. */
  gate: Promise<void> | undefined;

  constructor(issuer: string = "https://issuer.example") {
    this.issuer = issuer;
    this.jwksUri = `${issuer}/jwks`;
  }

  readonly get: HttpGet = async (request, signal) => {
    this.requests.push(request.url.href);
    if (this.gate !== undefined) await Promise.race([this.gate, aborted(signal)]);
    signal.throwIfAborted();
    const { answer } = this;
    if (answer instanceof Error) throw answer;
    if (typeof answer === "number") return { status: answer, body: Buffer.from("no") };
    if (request.url.pathname.endsWith("openid-configuration")) {
      return { status: 200, body: Buffer.from(JSON.stringify({ issuer: this.issuer, jwks_uri: this.jwksUri })) };
    }
    return { status: 200, body: Buffer.from(answer) };
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** A JWKS with one key under each of these ids. */
export function jwksOf(...kids: readonly string[]): string {
  return JSON.stringify({ keys: kids.map((kid) => publicJwk(testSigningKey("ES256", "fake-issuer"), kid, "ES256")) });
}

/** A `JwksSource` of a `FakeIssuer`, and short ways to ask it. */
export type FakeIssuerSetup = {
  readonly fake: FakeIssuer;
  readonly source: JwksSource;
  /** What became of every fetch that failed. */
  readonly failures: readonly unknown[];
  find(kid?: string, signal?: AbortSignal): Promise<KeyLookup>;
  /** "found", or the code. */
  codeOf(kid?: string): Promise<string>;
};

/** Returns a `JwksSource` that fetches from a `FakeIssuer`, straight from its JWKS URI. */
export function setUpFakeIssuer(clock: Clock, options: Partial<JwksSourceOptions> = {}): FakeIssuerSetup {
  const fake = new FakeIssuer();
  const failures: unknown[] = [];
  const source = createJwksSource(
    { issuer: fake.issuer, jwksUri: fake.jwksUri, ...options },
    {
      clock,
      random: () => 0.5,
      fetch: fake.get,
      events: { fetched: () => undefined, fetchFailed: ({ error }) => void failures.push(error) },
    },
  );
  const find: FakeIssuerSetup["find"] = (kid, signal = new AbortController().signal) =>
    source.find({ alg: "ES256", ...(kid === undefined ? {} : { kid }) }, signal);
  const codeOf = async (kid?: string): Promise<string> => {
    const lookup = await find(kid);
    return lookup.kind === "found" ? "found" : lookup.code;
  };
  return { fake, source, find, codeOf, failures };
}
