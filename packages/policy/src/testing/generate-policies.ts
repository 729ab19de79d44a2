import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationPolicy,
  AuthorizationRule,
  AuthorizationSource,
} from "@signet/documents";
import { SeededRandom } from "./random.ts";
import { valuesOf, whenKeys } from "./vocabulary.ts";

const position = { file: "generated.yaml", line: 1, column: 1 };

/** What a policy is made of when not all of it matters. */
export type PolicyParts = Partial<Omit<AuthorizationPolicy, "rules">> & { readonly rules?: readonly RuleParts[] };
export type RuleParts = {
  readonly from?: readonly Partial<AuthorizationSource>[];
  readonly to?: readonly Partial<AuthorizationOperation>[];
  readonly when?: readonly (Partial<AuthorizationCondition> & { readonly key: string })[];
};

/** Returns a policy of the parts given, in namespace `foo` and called `p` unless they say otherwise. */
export function makePolicy({ rules = [], ...parts }: PolicyParts): AuthorizationPolicy {
  return {
    kind: "AuthorizationPolicy",
    namespace: "foo",
    name: "p",
    action: "ALLOW",
    dryRun: false,
    targetRefs: [],
    position,
    rules: rules.map(makeRule),
    ...parts,
  };
}

function makeRule({ from = [], to = [], when = [] }: RuleParts): AuthorizationRule {
  return {
    from: from.map((source) => ({ ...emptySource, ...source })),
    to: to.map((operation) => ({ ...emptyOperation, ...operation })),
    when: when.map((condition) => ({ values: [], notValues: [], position, ...condition })),
    position,
  };
}

const emptySource: AuthorizationSource = {
  ...{ principals: [], notPrincipals: [], requestPrincipals: [], notRequestPrincipals: [] },
  ...{ namespaces: [], notNamespaces: [], serviceAccounts: [], notServiceAccounts: [] },
  ...{ trustDomains: [], notTrustDomains: [], ipBlocks: [], notIpBlocks: [] },
  ...{ remoteIpBlocks: [], notRemoteIpBlocks: [], position },
};
const emptyOperation: AuthorizationOperation = {
  ...{
    hosts: [],
    notHosts: [],
    ports: [],
    notPorts: [],
    methods: [],
    notMethods: [],
    paths: [],
    notPaths: [],
    position,
  },
};

/** What generated policies are like. */
export type GenerateOptions = {
  readonly count: number;
  /** Whether values that nothing can be made of occur. Default false. */
  readonly faulty?: boolean;
};

/** Returns policies of every shape, the same for the same seed, over a vocabulary small enough for requests to meet them. */
export function generatePolicies(
  seed: number,
  { count, faulty = false }: GenerateOptions,
): readonly AuthorizationPolicy[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const action = random.pick(["ALLOW", "ALLOW", "ALLOW", "DENY", "DENY", "AUDIT", "CUSTOM"] as const);
    return makePolicy({
      namespace: random.pick(["foo", "foo", "istio-system"]),
      name: `p-${index}`,
      action,
      ...(action === "CUSTOM" && { provider: random.pick(["a", "b", "opa"]) }),
      dryRun: (action === "ALLOW" || action === "DENY") && random.chance(0.2),
      rules: Array.from({ length: random.below(random.chance(0.1) ? 13 : 4) }, () => generateRule(random, faulty)),
    });
  });
}

function generateRule(random: SeededRandom, faulty: boolean): RuleParts {
  const list = <T>(make: () => T): readonly T[] => Array.from({ length: random.below(3) }, make);
  return {
    from: list(() => generateFields<Partial<AuthorizationSource>>(sourceNames, random, faulty)),
    to: list(() => generateFields<Partial<AuthorizationOperation>>(operationNames, random, faulty)),
    when: list(() => {
      const key = random.pick(whenKeys);
      const negated = random.below(3);
      const values = (wanted: boolean): readonly string[] => (wanted ? random.some(valuesOf(key, faulty), 1, 3) : []);
      return { key, values: values(negated !== 1), notValues: values(negated !== 0) };
    }),
  };
}

const sourceNames = [
  "principals",
  "requestPrincipals",
  "namespaces",
  "serviceAccounts",
  "trustDomains",
  "ipBlocks",
  "remoteIpBlocks",
] as const;
const operationNames = ["hosts", "ports", "methods", "paths"] as const;

function generateFields<T>(names: readonly string[], random: SeededRandom, faulty: boolean): T {
  const fields: Record<string, readonly string[]> = {};
  for (const name of random.some(names, 1, 2)) {
    const negated = random.below(4);
    const notName = `not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    if (negated !== 1) fields[name] = random.some(valuesOf(name, faulty), 1, 3);
    if (negated === 1 || negated === 2) fields[notName] = random.some(valuesOf(name, faulty), 1, 2);
  }
  return fields as T;
}
