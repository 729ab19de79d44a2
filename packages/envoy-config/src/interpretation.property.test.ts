import { isIP } from "node:net";
import { type ExtensionProvider, parseMeshConfig, parseWorkload } from "@signet/documents";
import {
  type AuthorizationRequest,
  compilePolicies,
  customProviders,
  type Decision,
  decide,
  policiesFor,
  type ShadowResult,
} from "@signet/policy";
import { generatePolicies, generateRequests } from "@signet/policy/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { extAuthzFilters } from "./ext-authz-filter.ts";
import { rbacFilters } from "./rbac-filter.ts";
import { type InterpretedFilters, type InterpretedShadow, interpretFilters } from "./testing.ts";
import { workloadFilters } from "./workload-filters.ts";

const workload = parseWorkload("foo/app=httpbin");
/** The same cases each time, unless more are asked for. */
const { SIGNET_POLICY_RUNS } = process.env;
const parameters =
  SIGNET_POLICY_RUNS === undefined ? { numRuns: 150, seed: 7 } : { numRuns: Number(SIGNET_POLICY_RUNS) };

const options = fc.record({
  trustDomain: fc.constantFrom("cluster.local", "prod.example"),
  trustDomainAliases: fc.constantFrom<readonly string[]>([], ["old.example"], ["old.example", "*.example"]),
});

/** A decision in the words of the interpreter. */
function inWords({ effect, id, audit, shadow }: Decision): Omit<InterpretedFilters, "asked"> {
  const words = ({ effect: alone, rule }: ShadowResult): InterpretedShadow => ({
    effect: alone,
    ...(rule !== undefined && { id: rule.id }),
  });
  const { allow, deny } = shadow;
  return {
    effect,
    ...(id !== undefined && { id }),
    audit: audit.map((rule) => rule.id),
    shadow: { ...(allow !== undefined && { allow: words(allow) }), ...(deny !== undefined && { deny: words(deny) }) },
  };
}

function providersNamed(names: readonly string[]): readonly ExtensionProvider[] {
  const entries = names.map((name) => `{name: ${name}, envoyExtAuthzGrpc: {service: ${name}.example, port: 9000}}`);
  const parsed = parseMeshConfig(`extensionProviders: [${entries.join()}]`, { file: "mesh.yaml" });
  return parsed.kind === "mesh-config" ? parsed.meshConfig.extensionProviders : [];
}

/** Without addresses that are none: the engine falls towards deny for these, and Envoy never has one. */
function asEnvoyHasIt(request: AuthorizationRequest): AuthorizationRequest {
  const { directRemoteIp, remoteIp, destinationIp, ...others } = request;
  const addresses = Object.entries({ directRemoteIp, remoteIp, destinationIp });
  return Object.assign({ ...others }, Object.fromEntries(addresses.filter(([, address]) => isIP(address ?? "") !== 0)));
}

test("interpreting the generated filters is deciding, with the same effective policies", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 60 }), options, fc.boolean(), (seed, count, chosen, faulty) => {
      const documents = generatePolicies(seed, { count, faulty });
      const policies = policiesFor(compilePolicies({ documents, refused: [] }, chosen).compiled, workload);
      const trustDomains = [chosen.trustDomain, ...chosen.trustDomainAliases];
      const attached = policies.documents;
      const providers = [...new Set(attached.flatMap(({ provider }) => provider ?? []))];
      const target = { trustDomains, extensionProviders: providersNamed(providers), severalProviders: true };
      const filters = (["http", "tcp"] as const).map((protocol) => [
        ...extAuthzFilters(attached, { ...target, protocol }).filters,
        ...rbacFilters(attached, { ...target, protocol }).filters,
      ]);
      for (const request of generateRequests(seed, 10).map(asEnvoyHasIt)) {
        const decision = decide(policies, request);
        const { asked, ...interpreted } = interpretFilters(
          (request.kind === "http" ? filters[0] : filters[1]) ?? [],
          request,
        );
        expect(interpreted).toEqual(inWords(decision));
        const matches = customProviders(policies, request);
        expect(asked).toEqual(
          matches.map(({ provider, rule }) => ({
            cluster: `outbound|9000||${provider}.example`,
            id: `istio-ext-authz-${provider}-${rule.id}`,
          })),
        );
        seen.add(`${request.kind} ${decision.because}`);
        if (matches.length > 0) seen.add(`${request.kind} custom`);
      }
    }),
    parameters,
  );
  for (const kind of ["http", "tcp"]) {
    for (const reason of ["no-policy", "allow-matched", "no-allow-matched", "deny-matched", "custom"]) {
      expect(seen).toContain(`${kind} ${reason}`);
    }
  }
});

test("the filters of a workload are those of the policies that attach to it", () => {
  const documents = generatePolicies(9, { count: 40, faulty: false });
  const policies = policiesFor(compilePolicies({ documents, refused: [] }).compiled, workload);
  const { filters } = workloadFilters(documents, workload);
  const whole = workloadFilters(policies.documents, workload);
  expect(filters).toEqual(whole.filters);
});
