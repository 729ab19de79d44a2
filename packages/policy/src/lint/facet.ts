import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationPolicy,
  AuthorizationRule,
  AuthorizationSource,
  DocumentPosition,
} from "@signet/documents";

/** What one list of values demands of one attribute. */
export type Facet = {
  /** The attribute, whatever field or key names it: `source.principal`, `request.headers[x-team]`, `operation.path`. */
  readonly attribute: string;
  readonly negative: boolean;
  readonly values: readonly string[];
  /** Such as `spec.rules[0].from[0].source.notPrincipals`. */
  readonly path: string;
  readonly position: DocumentPosition;
};

/** A rule, and all that it demands. */
export type RuleFacets = {
  readonly policy: AuthorizationPolicy;
  readonly index: number;
  readonly rule: AuthorizationRule;
  readonly path: string;
  /** For each source what it demands; none for any source. */
  readonly from: readonly (readonly Facet[])[];
  readonly to: readonly (readonly Facet[])[];
  readonly when: readonly Facet[];
};

const sourceFields = {
  principals: "source.principal",
  requestPrincipals: "request.auth.principal",
  namespaces: "source.namespace",
  serviceAccounts: "source.serviceAccount",
  trustDomains: "source.trustDomain",
  ipBlocks: "source.ip",
  remoteIpBlocks: "remote.ip",
} as const;

const operationFields = {
  hosts: "operation.host",
  methods: "operation.method",
  paths: "operation.path",
  ports: "destination.port",
} as const;

/** Returns all rules of a policy with what they demand. */
export function facetsOfPolicy(policy: AuthorizationPolicy): readonly RuleFacets[] {
  return policy.rules.map((rule, index) => {
    const path = `spec.rules[${index}]`;
    const facets = {
      policy,
      index,
      rule,
      path,
      from: rule.from.map((source, at) => ofSource(source, `${path}.from[${at}].source`)),
      to: rule.to.map((operation, at) => ofOperation(operation, `${path}.to[${at}].operation`)),
      when: rule.when.flatMap((condition, at) => ofCondition(condition, `${path}.when[${at}]`)),
    };
    return withNamespace(facets, policy.namespace);
  });
}

/** All that a rule demands, whether of every request or of one alternative. */
export function allFacets({ from, to, when }: RuleFacets): readonly Facet[] {
  return [...from.flat(), ...to.flat(), ...when];
}

/** Whether an attribute is one that a TCP connection has none of. */
export function isHttpAttribute(attribute: string): boolean {
  return (
    attribute.startsWith("request.") ||
    attribute === "operation.host" ||
    attribute === "operation.method" ||
    attribute === "operation.path"
  );
}

/** Attributes of which a request may have more than one value, so that matching one says nothing of the others. */
export function hasManyValues(attribute: string): boolean {
  return (
    attribute.startsWith("request.headers[") ||
    attribute.startsWith("request.auth.claims[") ||
    attribute.startsWith("experimental.") ||
    attribute === "request.auth.audiences" ||
    attribute === "request.auth.presenter"
  );
}

function ofSource(source: AuthorizationSource, path: string): readonly Facet[] {
  const fields = Object.entries(sourceFields).map(([field, attribute]) => ({ field, attribute }));
  return fields.flatMap(({ field, attribute }) => pair(source, { field, attribute, path }));
}

function ofOperation(operation: AuthorizationOperation, path: string): readonly Facet[] {
  const fields = Object.entries(operationFields).map(([field, attribute]) => ({ field, attribute }));
  return fields.flatMap(({ field, attribute }) => pair(operation, { field, attribute, path }));
}

type Named = { readonly field: string; readonly attribute: string; readonly path: string };

/** The lists of a field and of its `not...`, where they hold anything. */
function pair(part: AuthorizationSource | AuthorizationOperation, { field, attribute, path }: Named): readonly Facet[] {
  const notField = `not${field.slice(0, 1).toUpperCase()}${field.slice(1)}`;
  const lists = new Map<string, readonly string[] | DocumentPosition>(Object.entries(part));
  return [field, notField].flatMap((name) => {
    const values = lists.get(name);
    if (!isList(values) || values.length === 0) return [];
    const negative = name === notField;
    return [{ attribute, negative, values, path: `${path}.${name}`, position: part.position }];
  });
}

function isList(value: readonly string[] | DocumentPosition | undefined): value is readonly string[] {
  return Array.isArray(value);
}

function ofCondition({ key, values, notValues, position }: AuthorizationCondition, path: string): readonly Facet[] {
  const attribute = key.startsWith("request.headers[") ? key.toLowerCase() : key;
  const lists = [
    { negative: false, values, path: `${path}.values`, attribute, position },
    { negative: true, values: notValues, path: `${path}.notValues`, attribute, position },
  ];
  return lists.filter((list) => list.values.length > 0);
}

/** A service account without a namespace is of the policy's. */
function withNamespace(rule: RuleFacets, namespace: string): RuleFacets {
  const full = (facet: Facet): Facet =>
    facet.attribute === "source.serviceAccount"
      ? { ...facet, values: facet.values.map((value) => (value.includes("/") ? value : `${namespace}/${value}`)) }
      : facet;
  return { ...rule, from: rule.from.map((source) => source.map(full)), when: rule.when.map(full) };
}
