import { type Clock, errorCode, systemClock, withDeadline } from "@signet/runtime";
import { type Auth, anonymousAuth, freezeJson } from "./auth.ts";
import { type ClaimsParser, parseClaims } from "./claims-parser.ts";
import { GatewayError } from "./errors.ts";
import { type GatewayEvents, reportFailure, reportRefusal } from "./gateway-events.ts";
import type { GatewayRequest, HeaderChanges } from "./gateway-request.ts";
import { claimsNotAllowed, type Refusal, tooSlow, unavailable } from "./refusal.ts";
import type { AuthenticationResult, JsonObject, RequestAuthenticator } from "./request-authenticator.ts";

/** What becomes of a request. */
export type Admission<Claims = JsonObject> =
  | { readonly kind: "admitted"; readonly auth: Auth<Claims>; readonly upstream: HeaderChanges }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** How a gateway is made. */
export type GatewayOptions<Claims> = {
  readonly authenticator: RequestAuthenticator;
  /** Makes typed claims of a verified token's, or refuses them with 403; by default they stay as they are. */
  readonly claims?: ClaimsParser<Claims>;
  /** Longest time that authentication may take, in milliseconds; default 10000. Then the answer is 503. */
  readonly deadlineMs?: number;
  /**
   * How many proxies of yours every request has passed; default 0. Only above 0 is `x-forwarded-proto` believed.
   */
  readonly trustedHops?: number;
  readonly events?: GatewayEvents;
  readonly clock?: Clock;
};

/** Lets requests through with an identity, or says how to refuse them; every adapter stands on one of these. */
export interface Gateway<Claims = JsonObject> {
  readonly trustedHops: number;
  readonly events: GatewayEvents;
  /** Decides a request. Rejects only with the reason of `signal`; what the authenticator throws is a refusal. */
  admit(request: GatewayRequest, signal: AbortSignal): Promise<Admission<Claims>>;
  /** Ties an identity to the object by which a handler will ask for it. */
  keep(carrier: object, auth: Auth<Claims>): void;
  /**
   * Who a request is from: by the request of Fetch, `node:http`, Express or Fastify, by Hono's context, by Connect's
   * `context.values`, by `call.metadata` of grpc-js.
   * @throws GatewayError `not-admitted` when no adapter of this gateway has let it through: a route without one is a mistake
   */
  authOf(carrier: object): Auth<Claims>;
}

const defaultDeadlineMs = 10_000;
const maxTrustedHops = 100;

/**
 * Returns a gateway over an authenticator; hand it to the adapter of your framework.
 *
 * Fails closed: what the authenticator throws, and what takes longer than `deadlineMs`, is answered with 503.
 * @throws GatewayError `option-invalid`
 * @example
 * ```ts
 * import { createGateway, type RequestAuthenticator } from "@signet/gateway";
 * declare const authenticator: RequestAuthenticator;
 * const gateway = createGateway({
 *   authenticator,
 *   claims(claims) {
 *     if (typeof claims.tenant !== "string") throw new Error("no tenant");
 *     return { tenant: claims.tenant };
 *   },
 * });
 * ```
 */
export function createGateway<Claims = JsonObject>(options: GatewayOptions<Claims>): Gateway<Claims> {
  const { authenticator, deadlineMs = defaultDeadlineMs, trustedHops = 0, clock = systemClock } = options;
  const events = options.events ?? {};
  checkOptions({ deadlineMs, trustedHops });
  const kept = new WeakMap<object, Auth<Claims>>();
  const deadline = { clock, ms: deadlineMs, what: "request authentication" };

  async function admit(request: GatewayRequest, signal: AbortSignal): Promise<Admission<Claims>> {
    signal.throwIfAborted();
    try {
      const work = async (working: AbortSignal): Promise<Admission<Claims>> =>
        await admissionOf(await authenticator.authenticate(request, working), options.claims);
      return reported(await withDeadline(deadline, work, signal), events);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      reportFailure(events, { what: "authenticator", error });
      const refusal = errorCode(error) === "deadline-exceeded" ? tooSlow : unavailable;
      return reported({ kind: "refused", refusal }, events);
    }
  }

  return {
    trustedHops,
    events,
    admit,
    keep: (carrier, auth) => void kept.set(carrier, auth),
    authOf(carrier) {
      const auth = kept.get(carrier);
      if (auth === undefined)
        throw new GatewayError("not-admitted", "no adapter of this gateway has seen this request");
      return auth;
    },
  };
}

function checkOptions({
  deadlineMs,
  trustedHops,
}: {
  readonly deadlineMs: number;
  readonly trustedHops: number;
}): void {
  if (!(deadlineMs > 0)) throw new GatewayError("option-invalid", `deadlineMs is ${deadlineMs}, and must be above 0`);
  if (!Number.isInteger(trustedHops) || trustedHops < 0 || trustedHops > maxTrustedHops) {
    throw new GatewayError("option-invalid", `trustedHops is ${trustedHops}, and must be 0 to ${maxTrustedHops}`);
  }
}

type Unreported<Claims> = Admission<Claims> & { readonly cause?: unknown };

async function admissionOf<Claims>(
  result: AuthenticationResult,
  parser: ClaimsParser<Claims> | undefined,
): Promise<Unreported<Claims>> {
  switch (result.kind) {
    case "anonymous":
      return { kind: "admitted", auth: anonymousAuth, upstream: result.upstream };
    case "authenticated":
      return await admitAuthenticated(result, parser);
    case "rejected":
      return { kind: "refused", refusal: refusalOf(result) };
    default:
      // An authenticator is whatever it was given as: what it did not say is not a yes.
      return { kind: "refused", refusal: unavailable };
  }
}

async function admitAuthenticated<Claims>(
  result: Extract<AuthenticationResult, { kind: "authenticated" }>,
  parser: ClaimsParser<Claims> | undefined,
): Promise<Unreported<Claims>> {
  const { principal, rule, upstream } = result;
  const claims = freezeJson(result.claims);
  // Without a parser `Claims` is what it is by default, and that is what claims are.
  const parsed =
    parser === undefined ? { kind: "fit" as const, claims: claims as Claims } : await parseClaims(parser, claims);
  if (parsed.kind === "unfit") return { kind: "refused", refusal: claimsNotAllowed, cause: parsed.cause };
  const auth: Auth<Claims> = Object.freeze({
    kind: "authenticated",
    ...(principal === undefined ? {} : { principal }),
    issuer: rule.issuer,
    claims: parsed.claims,
    payload: freezeJson(result.payload),
  });
  return { kind: "admitted", auth, upstream };
}

function refusalOf(result: Extract<AuthenticationResult, { kind: "rejected" }>): Refusal {
  const { code, status, body, wwwAuthenticate } = result;
  return { code, status, body, headers: wwwAuthenticate === undefined ? [] : [["www-authenticate", wwwAuthenticate]] };
}

function reported<Claims>({ cause, ...admission }: Unreported<Claims>, events: GatewayEvents): Admission<Claims> {
  if (admission.kind === "refused") reportRefusal(events, admission.refusal, cause);
  return admission;
}
