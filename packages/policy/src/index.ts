export {
  type AuthorizationRequest,
  type ConnectionAttributes,
  type HttpAuthorizationRequest,
  type JsonObject,
  type JsonValue,
  type RequestHeaders,
  requestHeaders,
  type TcpAuthorizationRequest,
} from "./authorization-request.ts";
export {
  type CompiledPolicies,
  type CompileOptions,
  compilePolicies,
  type PolicyDocuments,
} from "./compile-policies.ts";
export { customProviders, decide } from "./decide.ts";
export type {
  CustomMatch,
  Decision,
  DecisionReason,
  PolicyName,
  RuleName,
  ShadowResult,
  ShadowResults,
} from "./decision.ts";
export { type ExplainOptions, explain } from "./explain.ts";
export type {
  AttributeChange,
  ExplainedCondition,
  ExplainedRule,
  Explanation,
  NearestAllow,
} from "./explanation.ts";
export { isLintId, type LintId, type LintRule, type LintSeverity, lintCatalog, lintIds } from "./lint/lint-catalog.ts";
export type { LintFinding } from "./lint/lint-finding.ts";
export { type DocumentsToLint, type LintOptions, lint } from "./lint.ts";
export { type NormalizePathOptions, normalizePath } from "./normalize-path.ts";
export { policiesFor, type WorkloadPolicies } from "./policies-for.ts";
export type { PolicyProblem } from "./policy-problem.ts";
export { renderExplanation, summarizeExplanation } from "./render-explanation.ts";
