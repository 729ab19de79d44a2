import {
  type Document,
  type JwtRule,
  type RefusedDocument,
  type RequestAuthentication,
  type Selectable,
  selectDocuments,
  type Workload,
} from "@signet/documents";
import {
  authenticateRequestNow,
  type CompiledJwtRules,
  compileJwtRules,
  type KeysOf,
  keysFromSources,
  type RequestAuthenticationResult,
  type RequestAuthOptions,
  type RequestToAuthenticate,
} from "@signet/request-auth";
import type { Clock, Task } from "@signet/runtime";
import { createJwksPool, type JwksHealth, type JwksPool, type JwksPoolDependencies } from "./jwks-pool.ts";

/** Which documents count for whom, and how tokens are judged: profile "istio" and no other option unless given. */
export type RequestAuthenticatorOptions = RequestAuthOptions & {
  /** Whose requests these are; without it every RequestAuthentication counts, whatever it is attached to. */
  readonly workload?: Workload;
  /** The namespace whose documents are the whole mesh's; `istio-system` unless given. */
  readonly rootNamespace?: string;
  /** As `selectorsReachGateways` of `selectDocuments`. */
  readonly selectorsReachGateways?: boolean;
  /** JWKS documents that stand for those of an issuer, or of a `jwksUri`, so that no connection is made for them. */
  readonly jwksOf?: ReadonlyMap<string, string>;
  /** Whether keys may be fetched over http from other machines; by default where the profile is not "strict". */
  readonly allowHttp?: boolean;
  /** Age at which keys are fetched again, and up to which they count; see `JwksSourceOptions`. */
  readonly refreshMs?: number;
  readonly maxAgeMs?: number;
};

/** The documents of a `DocumentSet` that matter here. */
export type AuthenticationDocuments = {
  readonly documents: readonly Document[];
  readonly refused: readonly RefusedDocument[];
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

const defaultRootNamespace = "istio-system";

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

/** What is in force, as a whole. */
type InForce = {
  readonly rules: readonly JwtRule[];
  readonly compiled: CompiledJwtRules;
  readonly keysOf: KeysOf;
  readonly refused: readonly RefusedDocument[];
};

class WorkloadAuthenticator implements RequestAuthenticator {
  readonly task: Task;
  readonly #attachment: Pick<RequestAuthenticatorOptions, "workload" | "rootNamespace" | "selectorsReachGateways">;
  readonly #jwksOf: ReadonlyMap<string, string>;
  readonly #options: RequestAuthOptions;
  readonly #clock: Clock;
  readonly #pool: JwksPool;
  #inForce: InForce | undefined;

  constructor(options: RequestAuthenticatorOptions, dependencies: JwksPoolDependencies) {
    const { workload, rootNamespace, selectorsReachGateways, jwksOf, allowHttp, refreshMs, maxAgeMs, ...others } =
      options;
    this.#attachment = {
      ...(workload === undefined ? {} : { workload }),
      ...(rootNamespace === undefined ? {} : { rootNamespace }),
      ...(selectorsReachGateways === undefined ? {} : { selectorsReachGateways }),
    };
    this.#jwksOf = jwksOf ?? new Map();
    this.#options = others;
    this.#clock = dependencies.clock;
    const limits = {
      allowHttp: allowHttp ?? others.profile !== "strict",
      ...(refreshMs === undefined ? {} : { refreshMs }),
      ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    };
    this.#pool = createJwksPool(limits, dependencies);
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

  replace({ documents, refused }: AuthenticationDocuments): void {
    const broken = this.#select(refused.filter(mayHoldRules));
    const written = this.#select(documents.filter(isRequestAuthentication)).flatMap(({ jwtRules }) => jwtRules);
    const rules = written.map((rule) => withKeys(rule, this.#jwksOf));
    this.#pool.use(rules);
    const sources = new Map(rules.map((rule) => [rule, this.#pool.sourceOf(rule)]));
    this.#inForce = {
      rules,
      compiled: compileJwtRules(broken.length === 0 ? rules : refusingRules(rules), this.#options),
      keysOf: keysFromSources((rule) => sources.get(rule)),
      refused: broken,
    };
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

  #current(): InForce {
    if (this.#inForce === undefined) throw new Error("no rules have been put in force");
    return this.#inForce;
  }

  #select<T extends Selectable>(documents: readonly T[]): readonly T[] {
    const { workload, rootNamespace = defaultRootNamespace, selectorsReachGateways } = this.#attachment;
    if (workload === undefined) return documents;
    const reach = selectorsReachGateways === undefined ? {} : { selectorsReachGateways };
    return selectDocuments(documents, workload, { rootNamespace, ...reach });
  }
}

function isRequestAuthentication(document: Document): document is RequestAuthentication {
  return document.kind === "RequestAuthentication";
}

/** Also one of which not even the kind is known. */
function mayHoldRules({ kind }: RefusedDocument): boolean {
  return kind === undefined || kind === "RequestAuthentication";
}

function withKeys(rule: JwtRule, jwksOf: ReadonlyMap<string, string>): JwtRule {
  if (rule.jwks !== undefined) return rule;
  const jwks = jwksOf.get(rule.issuer) ?? (rule.jwksUri === undefined ? undefined : jwksOf.get(rule.jwksUri));
  return jwks === undefined ? rule : { ...rule, jwks };
}

/** The same rules without a single key, and one for any issuer at the usual places: they refuse every token that they find. */
function refusingRules(rules: readonly JwtRule[]): readonly JwtRule[] {
  const anyIssuer: JwtRule = {
    issuer: "",
    audiences: [],
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    timeoutMs: 5_000,
    spaceDelimitedClaims: [],
    position: { file: "", line: 1, column: 1 },
  };
  return [anyIssuer, ...rules].map((rule) => ({ ...rule, jwks: noKeys }));
}

const noKeys = '{"keys":[]}';
