import type { DocumentProblem, Workload } from "@signet/documents";
import type { CompileOptions, PolicyProblem } from "@signet/policy";
import type { RequestAuthOptions } from "@signet/request-auth";
import type { Task } from "@signet/runtime";
import type { AttributedRequest } from "./attribute-context.ts";
import type { AuthorizationResult } from "./authorization-result.ts";
import type { CustomProvider } from "./custom-provider.ts";
import type { JwksHealth, JwksPoolDependencies } from "./jwks-pool.ts";
import { MeshAuthorizer } from "./mesh-authorizer.ts";
import type { KeyOptions } from "./request-authenticator.ts";
import type { AttachmentOptions, AuthenticationDocuments } from "./workload-rules.ts";

/** How requests of a mesh are decided. */
export type AuthorizerOptions = RequestAuthOptions &
  AttachmentOptions &
  KeyOptions &
  Pick<CompileOptions, "trustDomain" | "trustDomainAliases" | "headerMatching"> & {
    /** Whether tokens are verified before CUSTOM providers are asked, so that these see who a request is from; default false, as in Istio. */
    readonly jwtFirst?: boolean;
    /** How many proxies before our own are believed in `x-forwarded-for`; by default the peer's address is the client's. */
    readonly trustedHops?: number;
    /** Of how many workloads what was compiled is kept at hand; default 1000. */
    readonly maxWorkloads?: number;
  };

/** What an `Authorizer` needs; without `custom` whatever a CUSTOM policy matches is denied. */
export type AuthorizerDependencies = JwksPoolDependencies & { readonly custom?: CustomProvider };

/** Something wrong with a policy, and where. */
export type AuthorizerProblem = PolicyProblem | DocumentProblem;

/** Decides requests of a mesh, end to end. */
export interface Authorizer {
  /**
   * What becomes of a request to a workload, by the documents in force when it is called: mutual TLS, CUSTOM providers, the token,
   * and then policies, in Istio's order. Without a promise where nobody has to be asked. Rejects only with the reason of
   * `signal`.
   */
  authorize(
    request: AttributedRequest,
    workload: Workload,
    signal: AbortSignal,
  ): AuthorizationResult | Promise<AuthorizationResult>;
  /** Puts other documents in force, all at once, and returns what of their policies cannot be taken as it is written. */
  replace(documents: AuthenticationDocuments): readonly AuthorizerProblem[];
  /** Keeps the keys of all issuers fresh ahead of need. */
  readonly task: Task;
  /** Of every issuer whose keys are fetched. */
  health(): readonly JwksHealth[];
}

/**
 * Returns an authorizer by the RequestAuthentications, PeerAuthentications and AuthorizationPolicies among `documents`.
 *
 * Where any of the documents is a RequestAuthentication, tokens are verified here and nothing else says who a request is from;
 * otherwise the payload that another filter left in the request's metadata counts. A document that is refused falls towards
 * deny for the workloads it selects: a policy denies, a RequestAuthentication has every token refused, a PeerAuthentication wants
 * mutual TLS.
 * @example
 * ```ts
 * import { createAuthorizer, parseAttributeContextText, readDocuments } from "@signet/authorizer";
 * import { parseWorkload } from "@signet/documents";
 * import { systemClock } from "@signet/runtime";
 * const authorizer = createAuthorizer(await readDocuments("policies"), {}, { clock: systemClock, random: Math.random });
 * const request = parseAttributeContextText('{"request": {"http": {"method": "GET", "path": "/", "host": "httpbin.foo"}}}');
 * const result = await authorizer.authorize(request, parseWorkload("foo/app=httpbin"), AbortSignal.timeout(5000));
 * result.effect; // "allow" or "deny"
 * result.reason; // "no-policy", "allow-matched", ...
 * ```
 */
export function createAuthorizer(
  documents: AuthenticationDocuments,
  options: AuthorizerOptions,
  dependencies: AuthorizerDependencies,
): Authorizer {
  const authorizer = new MeshAuthorizer(options, dependencies);
  authorizer.replace(documents);
  return authorizer;
}
