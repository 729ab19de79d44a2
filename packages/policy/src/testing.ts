export {
  type GenerateOptions,
  generatePolicies,
  makePolicy,
  type PolicyParts,
  type RuleParts,
} from "./testing/generate-policies.ts";
export { generateRequests } from "./testing/generate-requests.ts";
export { customProvidersNaively, decideNaively, type NaiveQuestion } from "./testing/naive-decision.ts";
export { SeededRandom } from "./testing/random.ts";
