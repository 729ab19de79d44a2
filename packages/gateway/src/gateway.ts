import { errorCode, systemClock, withDeadline } from "@signet/runtime";
import { type Auth, anonymousAuth, freezeJson } from "./auth.ts";
import { type ClaimsParser, type ParsedClaims, parseClaims } from "./claims-parser.ts";
import { authenticating, authorizing, type Verdict } from "./decide-request.ts";
import { GatewayError } from "./errors.ts";
import { type GatewayEvents, reportFailure, reportRefusal } from "./gateway-events.ts";
import type { GatewayOptions } from "./gateway-options.ts";
import type { GatewayRequest, HeaderChanges, HeaderList } from "./gateway-request.ts";
import { claimsNotAllowed, type Refusal, tooSlow, unavailable } from "./refusal.ts";
import type { JsonObject } from "./request-authenticator.ts";

/** What becomes of a request. */
export type Admission<Claims = JsonObject> =
  | {
      readonly kind: "admitted";
      readonly auth: Auth<Claims>;
      readonly upstream: HeaderChanges;
      /** Added to the answer. */
      readonly downstream: HeaderList;
    }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** Lets requests through with an identity, or says how to refuse them; every adapter stands on one of these. */
export interface Gateway<Claims = JsonObject> {
  readonly trustedHops: number;
  readonly events: GatewayEvents;
  /** Decides a request. Rejects only with the reason of `signal`; what the authenticator or authorizer throws is a refusal. */
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
 * Returns a gateway over an authenticator or an authorizer; hand it to the adapter of your framework.
 *
 * Fails closed: what either throws, and what takes longer than `deadlineMs`, is answered with 503.
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
  const { deadlineMs = defaultDeadlineMs, trustedHops = 0, clock = systemClock } = options;
  const events = options.events ?? {};
  checkOptions({ deadlineMs, trustedHops });
  const kept = new WeakMap<object, Auth<Claims>>();
  const deadline = { clock, ms: deadlineMs, what: "the decision about a request" };
  const decide = "authorizer" in options ? authorizing(options, events) : authenticating(options);

  async function admit(request: GatewayRequest, signal: AbortSignal): Promise<Admission<Claims>> {
    signal.throwIfAborted();
    try {
      const work = async (working: AbortSignal): Promise<Unreported<Claims>> =>
        await admissionOf(await decide(request, working), options.claims);
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
  verdict: Verdict,
  parser: ClaimsParser<Claims> | undefined,
): Promise<Unreported<Claims>> {
  if (verdict.kind === "refused") return verdict;
  const { token, upstream, downstream } = verdict;
  if (token === undefined) return { kind: "admitted", auth: anonymousAuth, upstream, downstream };
  const claims = freezeJson(token.claims);
  const parsed = parser === undefined ? untyped<Claims>(claims) : await parseClaims(parser, claims);
  if (parsed.kind === "unfit") return { kind: "refused", refusal: claimsNotAllowed, cause: parsed.cause };
  const auth: Auth<Claims> = Object.freeze({
    kind: "authenticated",
    ...(token.principal === undefined ? {} : { principal: token.principal }),
    issuer: token.issuer,
    claims: parsed.claims,
    payload: freezeJson(token.payload),
  });
  return { kind: "admitted", auth, upstream, downstream };
}

/** Without a parser `Claims` is what it is by default, and that is what claims are. */
function untyped<Claims>(claims: JsonObject): ParsedClaims<Claims> {
  return { kind: "fit", claims: claims as Claims };
}

function reported<Claims>({ cause, ...admission }: Unreported<Claims>, events: GatewayEvents): Admission<Claims> {
  if (admission.kind === "refused") reportRefusal(events, admission.refusal, cause);
  return admission;
}
