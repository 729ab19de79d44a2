import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, errorMessage, type Logger } from "@signet/runtime";
import { type Cookie, createCookie, createSeal } from "./cookies.ts";
import type { LoginSecrets, OidcClient } from "./oidc-client.ts";
import { safeReturnTo } from "./return-to.ts";
import { createSessions, type Session, type SessionStore } from "./sessions.ts";

/** Who an ID token is from once it is verified; undefined when it is not good. */
export type VerifyIdToken = (
  idToken: string,
  signal: AbortSignal,
) => Promise<{ readonly claims: Readonly<Record<string, unknown>> } | undefined>;

/** What a login needs. */
export type LoginFlowOptions = {
  readonly issuer: string;
  readonly clientId: string;
  readonly publicUrl: URL;
  readonly client: OidcClient;
  readonly verify: VerifyIdToken;
  readonly clock: Pick<Clock, "now">;
  readonly logger: Logger;
};

/** Logins of people, and what their browsers hold. */
export interface LoginFlow {
  /** Names of the cookies that concern nobody behind the gateway. */
  readonly cookieNames: readonly string[];
  /** Answers what belongs to logging in and out; false for everything else. */
  answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean>;
  sessionOf(request: IncomingMessage): Session | undefined;
  /** Ends a session whose token is good no longer. */
  end(request: IncomingMessage): void;
  /** Whether a request that a cookie speaks for was made by a page of ours. */
  isOurs(request: IncomingMessage): boolean;
}

type PendingLogin = LoginSecrets & { readonly returnTo: string; readonly expiresAtMs: number };

const loginSeconds = 600;
const maxSessionSeconds = 8 * 3600;

/** Returns the routes `/login`, `/callback` and `/logout`. */
export function createLoginFlow(options: LoginFlowOptions): LoginFlow {
  return new Flow(options);
}

class Flow implements LoginFlow {
  readonly cookieNames: readonly string[];
  readonly #options: LoginFlowOptions;
  readonly #login: Cookie;
  readonly #session: Cookie;
  readonly #sessions: SessionStore;
  readonly #seal = createSeal();

  constructor(options: LoginFlowOptions) {
    const secure = options.publicUrl.protocol === "https:";
    this.#options = options;
    this.#login = createCookie("login", { secure });
    this.#session = createCookie("session", { secure });
    this.#sessions = createSessions(options.clock);
    this.cookieNames = [this.#login.name, this.#session.name];
  }

  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
    const route = `${request.method} ${url.pathname}`;
    switch (route) {
      case "GET /login":
        this.#startLogin(response, url);
        return true;
      case "GET /callback":
        await this.#finishLogin(request, response, url);
        return true;
      case "POST /logout":
        this.#logout(request, response);
        return true;
      default:
        if (!["/login", "/callback", "/logout"].includes(url.pathname)) return false;
        sendText(response, 405, "method not allowed");
        return true;
    }
  }

  sessionOf(request: IncomingMessage): Session | undefined {
    const secret = this.#session.read(request.headers.cookie);
    return secret === undefined ? undefined : this.#sessions.find(secret);
  }

  end(request: IncomingMessage): void {
    const secret = this.#session.read(request.headers.cookie);
    if (secret !== undefined) this.#sessions.end(secret);
  }

  isOurs({ headers }: IncomingMessage): boolean {
    const site = headers["sec-fetch-site"];
    if (site !== undefined && site !== "same-origin" && site !== "none") return false;
    return headers.origin === undefined || headers.origin === this.#options.publicUrl.origin;
  }

  #startLogin(response: ServerResponse, url: URL): void {
    const { client, clock, publicUrl } = this.#options;
    const secrets: LoginSecrets = { state: random(), nonce: random(), codeVerifier: random() };
    const returnTo = safeReturnTo(url.searchParams.get("return_to"), publicUrl);
    const pending: PendingLogin = { ...secrets, returnTo, expiresAtMs: clock.now().getTime() + loginSeconds * 1000 };
    // Sealed in the browser, not kept here: whoever asks for a thousand logins costs nothing.
    response.setHeader("set-cookie", this.#login.set(this.#seal.seal(JSON.stringify(pending)), loginSeconds));
    redirect(response, client.authorizationUrl(secrets));
  }

  async #finishLogin(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const pending = this.#pendingLogin(request);
    response.appendHeader("set-cookie", this.#login.clear());
    const code = this.#codeOf(url, pending);
    if (pending === undefined || code === undefined)
      return sendText(response, 400, "this login was not started here, or took too long");
    try {
      const session = await this.#exchange(pending, code);
      this.end(request);
      const lifetime = Math.floor((session.expiresAt.getTime() - this.#options.clock.now().getTime()) / 1000);
      response.appendHeader("set-cookie", this.#session.set(this.#sessions.create(session), lifetime));
      redirect(response, pending.returnTo);
    } catch (error) {
      this.#options.logger.warn("login failed", { error: errorMessage(error) });
      sendText(response, 403, "the login failed");
    }
  }

  /** The login that this very browser has started. */
  #pendingLogin(request: IncomingMessage): PendingLogin | undefined {
    const sealed = this.#login.read(request.headers.cookie);
    const text = sealed === undefined ? undefined : this.#seal.open(sealed);
    if (text === undefined) return undefined;
    // Nobody else can have written it.
    const pending = JSON.parse(text) as PendingLogin;
    return pending.expiresAtMs > this.#options.clock.now().getTime() ? pending : undefined;
  }

  /** The code that came back for this login, from this provider. */
  #codeOf({ searchParams }: URL, pending: PendingLogin | undefined): string | undefined {
    const { issuer, client } = this.#options;
    if (pending === undefined || !isSame(searchParams.get("state"), pending.state)) return undefined;
    const named = searchParams.get("iss");
    if (named === null ? client.namesIssuer : named !== issuer) return undefined;
    return searchParams.get("code") ?? undefined;
  }

  async #exchange({ nonce, codeVerifier }: PendingLogin, code: string): Promise<Session> {
    const { client, clientId, verify, clock } = this.#options;
    const signal = AbortSignal.timeout(15_000);
    const idToken = await client.exchange({ code, codeVerifier }, signal);
    const verified = await verify(idToken, signal);
    if (verified === undefined) throw new Error("the ID token is not good");
    const { claims } = verified;
    if (!isSame(claims.nonce, nonce)) throw new Error("the ID token is of another login");
    // OpenID Connect Core section 3.1.3.7: with several audiences the one it was issued to must be us.
    const isForMany = Array.isArray(claims.aud) && claims.aud.length > 1;
    if ((isForMany || claims.azp !== undefined) && claims.azp !== clientId)
      throw new Error("the ID token is another client's");
    if (typeof claims.exp !== "number") throw new Error("the ID token does not expire");
    const latest = clock.now().getTime() + maxSessionSeconds * 1000;
    return { idToken, expiresAt: new Date(Math.min(claims.exp * 1000, latest)) };
  }

  #logout(request: IncomingMessage, response: ServerResponse): void {
    if (!this.isOurs(request)) {
      sendText(response, 403, "this logout was not asked for by a page of ours");
      return;
    }
    this.end(request);
    response.setHeader("set-cookie", this.#session.clear());
    redirect(response, this.#options.client.logoutUrl() ?? "/");
  }
}

function random(): string {
  return randomBytes(32).toString("base64url");
}

function isSame(given: unknown, expected: string): boolean {
  const octets = Buffer.from(typeof given === "string" ? given : "");
  const wanted = Buffer.from(expected);
  return octets.length === wanted.length && timingSafeEqual(octets, wanted);
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, "cache-control": "no-store", "referrer-policy": "no-referrer" }).end();
}

/** Answers with a fixed sentence, never with anything that came in. */
export function sendText(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "text/plain", "cache-control": "no-store" }).end(body);
}
