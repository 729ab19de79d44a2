import type { JwtRule, RefusedDocument, Workload } from "@signet/documents";
import {
  authenticateRequestNow,
  type KeysOf,
  type RequestAuthenticationResult,
  type RequestAuthOptions,
  type RequestToAuthenticate,
} from "@signet/request-auth";
import type { Clock, Task } from "@signet/runtime";
import {
  createJwksPool,
  type JwksFetching,
  type JwksHealth,
  type JwksPool,
  type JwksPoolDependencies,
} from "./jwks-pool.ts";
import {
  type AttachmentOptions,
  type AuthenticationDocuments,
  attachedTo,
  compileWorkloadRules,
  jwtRulesOf,
  type RuleOptions,
  type WorkloadRules,
} from "./workload-rules.ts";

/** Which documents count for whom, and how tokens are judged: profile "istio" and no other option unless given. */
export type RequestAuthenticatorOptions = RequestAuthOptions &
  AttachmentOptions &
  KeyOptions & {
    /** Whose requests these are; without it every RequestAuthentication counts, whatever it is attached to. */
    readonly workload?: Workload;
  };

/** Where the keys of rules come from. */
export type KeyOptions = {
  /** JWKS documents that stand for those of an issuer, or of a `jwksUri`, so that no connection is made for them. */
  readonly jwksOf?: ReadonlyMap<string, string>;
  /** Whether keys may be fetched over http from other machines; by default where the profile is not "strict". */
  readonly allowHttp?: boolean;
  /** Age at which keys are fetched again, and up to which they count; see `JwksSourceOptions`. */
  readonly refreshMs?: number;
  readonly maxAgeMs?: number;
  /** The way to all issuers. */
  readonly fetching?: JwksFetching;
};

/** Says who requests to one workload are from. */
export interface RequestAuthenticator {
  /** As `authenticateRequest` of `@signet/request-auth`, by the rules in force when it is called. Rejects only with the reason of `signal`. */
  authenticate(request: RequestToAuthenticate, signal: AbortSignal): Promise<RequestAuthenticationResult>;
  /** The same without a promise where all keys are at hand, as they are but for the first request and those with an unknown key id. */
  authenticateNow(
    request: RequestToAuthenticate,
    signal: AbortSignal,
  ): RequestAuthenticationResult | Promise<RequestAuthenticationResult>;
  /** Puts the rules of other documents in force, all at once; keys of issuers that stay are not fetched again. */
  replace(documents: AuthenticationDocuments): void;
  /** The rules in force, those with keys given by `jwksOf` holding them. */
  rules(): readonly JwtRule[];
  /** The keys of one of these rules that has none in itself, as requests are judged with them. */
  readonly keysOf: KeysOf;
  /** RequestAuthentications that are meant for the workload and cannot be used: while there are any, every token is refused. */
  refused(): readonly RefusedDocument[];
  /** Keeps keys fresh ahead of need. Without it they are fetched when a token wants them. */
  readonly task: Task;
  /** Of every issuer whose keys are fetched. */
  health(): readonly JwksHealth[];
}

/**
 * Returns an authenticator for the requests to one workload, by the RequestAuthentications among `documents` that attach to it.
 *
 * Keys are those of each rule; where a rule names a place for them, or discovery does, there is one source for each issuer and
 * place, and none waits for another. While a RequestAuthentication that selects the workload is among `refused`, every token
 * is refused: requests without any stay anonymous, which policies judge.
 * @example
 * ```ts
 * import { createRequestAuthenticator, readDocuments } from "@signet/authorizer";
 * import { parseWorkload } from "@signet/documents";
 * import { systemClock } from "@signet/runtime";
 * const authenticator = createRequestAuthenticator(
 *   await readDocuments("policies"),
 *   { workload: parseWorkload("foo/app=httpbin") },
 *   { clock: systemClock, random: Math.random },
 * );
 * const result = await authenticator.authenticate(
 *   { method: "GET", scheme: "https", host: "shop.example", path: "/cart", headers: [["authorization", "Bearer e30.e30.c2ln"]] },
 *   AbortSignal.timeout(5000),
 * );
 * result.kind; // "anonymous", "authenticated" or "rejected"
 * // For as long as there are requests: await authenticator.task.run(signal);
 * ```
 */
export function createRequestAuthenticator(
  documents: AuthenticationDocuments,
  options: RequestAuthenticatorOptions,
  dependencies: JwksPoolDependencies,
): RequestAuthenticator {
  const authenticator = new WorkloadAuthenticator(options, dependencies);
  authenticator.replace(documents);
  return authenticator;
}

/** Options taken apart, for who opens a pool and compiles rules. */
export function splitOptions(options: RequestAuthOptions & AttachmentOptions & KeyOptions): {
  readonly ruleOptions: RuleOptions;
  readonly poolOptions: Parameters<typeof createJwksPool>[0];
} {
  const { rootNamespace, selectorsReachGateways, jwksOf, ...others } = options;
  const { allowHttp, refreshMs, maxAgeMs, fetching, ...judging } = others;
  const attachment = {
    ...(rootNamespace === undefined ? {} : { rootNamespace }),
    ...(selectorsReachGateways === undefined ? {} : { selectorsReachGateways }),
  };
  return {
    ruleOptions: { attachment, jwksOf: jwksOf ?? new Map(), judging },
    poolOptions: {
      allowHttp: allowHttp ?? judging.profile !== "strict",
      ...(fetching === undefined ? {} : { fetching }),
      ...(refreshMs === undefined ? {} : { refreshMs }),
      ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    },
  };
}

class WorkloadAuthenticator implements RequestAuthenticator {
  readonly task: Task;
  readonly #workload: Workload | undefined;
  readonly #options: RuleOptions;
  readonly #clock: Clock;
  readonly #pool: JwksPool;
  #inForce: WorkloadRules | undefined;

  constructor({ workload, ...options }: RequestAuthenticatorOptions, dependencies: JwksPoolDependencies) {
    const { ruleOptions, poolOptions } = splitOptions(options);
    this.#workload = workload;
    this.#options = ruleOptions;
    this.#clock = dependencies.clock;
    this.#pool = createJwksPool(poolOptions, dependencies);
    this.task = this.#pool.task;
  }

  async authenticate(request: RequestToAuthenticate, signal: AbortSignal): Promise<RequestAuthenticationResult> {
    return await this.authenticateNow(request, signal);
  }

  authenticateNow(
    request: RequestToAuthenticate,
    signal: AbortSignal,
  ): RequestAuthenticationResult | Promise<RequestAuthenticationResult> {
    const { compiled, keysOf } = this.#current();
    return authenticateRequestNow(compiled, request, { keysOf, clock: this.#clock }, signal);
  }

  replace(documents: AuthenticationDocuments): void {
    const { attachment, jwksOf } = this.#options;
    this.#pool.use(jwtRulesOf(attachedTo(documents.documents, this.#workload, attachment), jwksOf));
    const [workload, options, pool] = [this.#workload, this.#options, this.#pool];
    this.#inForce = compileWorkloadRules(documents, { workload, options, pool });
  }

  readonly keysOf: KeysOf = (rule, header, signal) => this.#current().keysOf(rule, header, signal);

  rules(): readonly JwtRule[] {
    return this.#current().rules;
  }

  refused(): readonly RefusedDocument[] {
    return this.#current().refused;
  }

  health(): readonly JwksHealth[] {
    return this.#pool.health();
  }

  #current(): WorkloadRules {
    if (this.#inForce === undefined) throw new Error("no rules have been put in force");
    return this.#inForce;
  }
}
