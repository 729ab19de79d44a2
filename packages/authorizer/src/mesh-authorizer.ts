import type { Workload } from "@signet/documents";
import { type CompiledPolicies, type CompileOptions, compilePolicies, customProviders } from "@signet/policy";
import { authenticateRequestNow } from "@signet/request-auth";
import type { Clock, Task } from "@signet/runtime";
import type { AttributedRequest } from "./attribute-context.ts";
import type { AuthorizationResult } from "./authorization-result.ts";
import type { Authorizer, AuthorizerDependencies, AuthorizerOptions, AuthorizerProblem } from "./authorize-request.ts";
import { advance, authenticated, denialOf, noProvider, refusal, type Stage } from "./authorize-stages.ts";
import type { CustomProvider } from "./custom-provider.ts";
import { createJwksPool, type JwksHealth, type JwksPool } from "./jwks-pool.ts";
import { splitOptions } from "./request-authenticator.ts";
import { RequestPass } from "./request-pass.ts";
import {
  type AuthenticationDocuments,
  isRequestAuthentication,
  jwtRulesOf,
  mayHoldRules,
  type RuleOptions,
} from "./workload-rules.ts";
import { compileWorkload, type WorkloadState, wantsMtls, workloadKey } from "./workload-state.ts";

/** What is in force, as a whole. */
type InForce = {
  readonly documents: AuthenticationDocuments;
  readonly compiled: CompiledPolicies;
  readonly believesMetadata: boolean;
  /** What has been compiled for workloads that were asked about; the one asked about last is the last. */
  readonly workloads: Map<string, WorkloadState>;
};

const defaultMaxWorkloads = 1_000;

/** An `Authorizer` that compiles for each workload when it is first asked about. */
export class MeshAuthorizer implements Authorizer {
  readonly task: Task;
  readonly #options: Pick<AuthorizerOptions, "jwtFirst" | "trustedHops" | "maxWorkloads">;
  readonly #compileOptions: CompileOptions;
  readonly #ruleOptions: RuleOptions;
  readonly #clock: Clock;
  readonly #custom: CustomProvider | undefined;
  readonly #pool: JwksPool;
  #inForce: InForce | undefined;

  constructor(options: AuthorizerOptions, dependencies: AuthorizerDependencies) {
    const { jwtFirst, trustedHops, maxWorkloads, trustDomain, trustDomainAliases, headerMatching, ...others } = options;
    const { ruleOptions, poolOptions } = splitOptions(others);
    this.#options = {
      ...(jwtFirst === undefined ? {} : { jwtFirst }),
      ...(trustedHops === undefined ? {} : { trustedHops }),
      ...(maxWorkloads === undefined ? {} : { maxWorkloads }),
    };
    this.#compileOptions = {
      ...ruleOptions.attachment,
      ...(trustDomain === undefined ? {} : { trustDomain }),
      ...(trustDomainAliases === undefined ? {} : { trustDomainAliases }),
      ...(headerMatching === undefined ? {} : { headerMatching }),
    };
    this.#ruleOptions = ruleOptions;
    this.#clock = dependencies.clock;
    this.#custom = dependencies.custom;
    this.#pool = createJwksPool(poolOptions, dependencies);
    this.task = this.#pool.task;
  }

  replace(documents: AuthenticationDocuments): readonly AuthorizerProblem[] {
    this.#pool.use(jwtRulesOf(documents.documents, this.#ruleOptions.jwksOf));
    const { compiled, problems } = compilePolicies(documents, this.#compileOptions);
    const believesMetadata =
      !documents.documents.some(isRequestAuthentication) && !documents.refused.some(mayHoldRules);
    this.#inForce = { documents, compiled, believesMetadata, workloads: new Map() };
    return problems;
  }

  health(): readonly JwksHealth[] {
    return this.#pool.health();
  }

  authorize(
    request: AttributedRequest,
    workload: Workload,
    signal: AbortSignal,
  ): AuthorizationResult | Promise<AuthorizationResult> {
    const inForce = this.#current();
    const state = this.#stateOf(workload, inForce);
    const { believesMetadata } = inForce;
    const pass = new RequestPass(request, { trustedHops: this.#options.trustedHops, believesMetadata });
    if (request.source.principal === undefined && wantsMtls(state.mtls, request.destination.port)) {
      return pass.conclude({ effect: "deny", reason: "mtls-required" }, refusal(403, "mutual TLS is required"));
    }
    const custom: Stage = (at, until) => this.#askProviders(state, at, until);
    const jwt: Stage = (at, until) => this.#authenticate(state, at, until);
    return advance(pass, { stages: this.#options.jwtFirst === true ? [jwt, custom] : [custom, jwt], state }, signal);
  }

  /** What all providers say whose rules match; the first that denies ends it. */
  #askProviders(state: WorkloadState, pass: RequestPass, signal: AbortSignal): ReturnType<Stage> {
    if (state.policies.http.custom.length === 0 && state.policies.tcp.custom.length === 0) return undefined;
    return this.#askEach(state, pass, signal);
  }

  async #askEach(
    state: WorkloadState,
    pass: RequestPass,
    signal: AbortSignal,
  ): Promise<AuthorizationResult | undefined> {
    let matches = customProviders(state.policies, pass.facts());
    // For HTTP and for TCP they are the same ones, in the same order.
    for (const { provider } of state.policies.http.custom) {
      const rule = matches.find((match) => match.provider === provider)?.rule;
      if (rule === undefined) continue;
      const answer = (await this.#custom?.ask({ provider, rule, request: pass.request }, signal)) ?? noProvider;
      const denied = denialOf(answer);
      const { policy, ruleIndex, id } = rule;
      if (denied !== undefined) {
        return pass.conclude(
          { effect: "deny", reason: "custom-denied", policy, rule: ruleIndex, id, provider },
          denied,
        );
      }
      if (answer.kind !== "allowed") continue;
      pass.allowedBy(answer);
      // As in a proxy: rules of the next ones may look at what this one has changed.
      matches = customProviders(state.policies, pass.facts());
    }
    return undefined;
  }

  #authenticate({ jwt }: WorkloadState, pass: RequestPass, signal: AbortSignal): ReturnType<Stage> {
    if (pass.request.tcp) return undefined;
    const dependencies = { keysOf: jwt.keysOf, clock: this.#clock };
    const result = authenticateRequestNow(jwt.compiled, pass.request, dependencies, signal);
    return result instanceof Promise ? result.then((later) => authenticated(pass, later)) : authenticated(pass, result);
  }

  #current(): InForce {
    if (this.#inForce === undefined) throw new Error("no documents have been put in force");
    return this.#inForce;
  }

  #stateOf(workload: Workload, inForce: InForce): WorkloadState {
    const { workloads } = inForce;
    const key = workloadKey(workload);
    const state =
      workloads.get(key) ?? compileWorkload(workload, { ...inForce, options: this.#ruleOptions, pool: this.#pool });
    workloads.delete(key);
    workloads.set(key, state);
    const [longestUnasked] = workloads.keys();
    const { maxWorkloads = defaultMaxWorkloads } = this.#options;
    if (workloads.size > maxWorkloads && longestUnasked !== undefined) workloads.delete(longestUnasked);
    return state;
  }
}
