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
  type CompiledJwtRules,
  compileJwtRules,
  type KeysOf,
  keysFromSources,
  type RequestAuthOptions,
} from "@signet/request-auth";
import type { JwksPool } from "./jwks-pool.ts";

/** The documents of a `DocumentSet` that matter to who decides requests. */
export type AuthenticationDocuments = {
  readonly documents: readonly Document[];
  readonly refused: readonly RefusedDocument[];
};

/** How documents attach to workloads. */
export type AttachmentOptions = {
  /** The namespace whose documents are the whole mesh's; `istio-system` unless given. */
  readonly rootNamespace?: string;
  /** As `selectorsReachGateways` of `selectDocuments`. */
  readonly selectorsReachGateways?: boolean;
};

/** How rules are compiled. */
export type RuleOptions = {
  readonly attachment: AttachmentOptions;
  /** JWKS documents by issuer or `jwksUri`. */
  readonly jwksOf: ReadonlyMap<string, string>;
  readonly judging: RequestAuthOptions;
};

/** The JWT rules of one workload, as a whole. */
export type WorkloadRules = {
  readonly rules: readonly JwtRule[];
  readonly compiled: CompiledJwtRules;
  readonly keysOf: KeysOf;
  /** RequestAuthentications that are meant for the workload and cannot be used. */
  readonly refused: readonly RefusedDocument[];
};

export const defaultRootNamespace = "istio-system";

/** Returns all JWT rules of some documents, those whose keys are given by `jwksOf` holding them. */
export function jwtRulesOf(documents: readonly Document[], jwksOf: ReadonlyMap<string, string>): readonly JwtRule[] {
  return documents
    .filter(isRequestAuthentication)
    .flatMap(({ jwtRules }) => jwtRules)
    .map((rule) => withKeys(rule, jwksOf));
}

/** Returns the documents that attach to a workload; all of them without one. */
export function attachedTo<T extends Selectable>(
  documents: readonly T[],
  workload: Workload | undefined,
  { rootNamespace = defaultRootNamespace, selectorsReachGateways }: AttachmentOptions,
): readonly T[] {
  if (workload === undefined) return documents;
  const reach = selectorsReachGateways === undefined ? {} : { selectorsReachGateways };
  return selectDocuments(documents, workload, { rootNamespace, ...reach });
}

/** Returns the rules of what attaches to `workload`; `pool` must be using them already. */
export function compileWorkloadRules(
  { documents, refused }: AuthenticationDocuments,
  {
    workload,
    options,
    pool,
  }: { readonly workload: Workload | undefined; readonly options: RuleOptions; readonly pool: JwksPool },
): WorkloadRules {
  const { attachment, jwksOf, judging } = options;
  const broken = attachedTo(refused.filter(mayHoldRules), workload, attachment);
  const rules = jwtRulesOf(attachedTo(documents.filter(isRequestAuthentication), workload, attachment), jwksOf);
  // Looked up once: what the pool holds later is for the rules that come then.
  const sources = new Map(rules.map((rule) => [rule, pool.sourceOf(rule)]));
  return {
    rules,
    compiled: compileJwtRules(broken.length === 0 ? rules : refusingRules(rules), judging),
    keysOf: keysFromSources((rule) => sources.get(rule)),
    refused: broken,
  };
}

/** Whether a document is a RequestAuthentication. */
export function isRequestAuthentication(document: Document): document is RequestAuthentication {
  return document.kind === "RequestAuthentication";
}

/** Whether a refused document may be a RequestAuthentication: also one of which not even the kind is known. */
export function mayHoldRules({ kind }: RefusedDocument): boolean {
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
