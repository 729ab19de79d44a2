import type { AuthorizationPolicy, AuthorizationRule } from "@signet/documents";

/** One thing that a rule asks about: what must be, and what must not. */
export type Constraint = {
  readonly attribute: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
  readonly namespace: string;
};

const fieldAttributes: ReadonlyMap<string, string> = new Map([
  ["principals", "source.principal"],
  ["requestPrincipals", "request.auth.principal"],
  ["namespaces", "source.namespace"],
  ["serviceAccounts", "source.serviceAccount"],
  ["trustDomains", "source.trustDomain"],
  ["ipBlocks", "source.ip"],
  ["remoteIpBlocks", "remote.ip"],
  ["hosts", "host"],
  ["ports", "destination.port"],
  ["methods", "method"],
  ["paths", "path"],
]);

/** Every way in which a rule can match: all constraints of one source, one operation and all conditions. */
export function waysToMatch(policy: AuthorizationPolicy, rule: AuthorizationRule): readonly (readonly Constraint[])[] {
  const { namespace } = policy;
  const sources = rule.from.length === 0 ? [[]] : rule.from.map((source) => fieldConstraints(source, namespace));
  const operations = rule.to.length === 0 ? [[]] : rule.to.map((operation) => fieldConstraints(operation, namespace));
  const conditions = rule.when.map(({ key, values, notValues }) => ({ attribute: key, values, notValues, namespace }));
  return sources.flatMap((source) => operations.map((operation) => [...source, ...operation, ...conditions]));
}

function fieldConstraints(fields: object, namespace: string): readonly Constraint[] {
  const lists = fields as Readonly<Record<string, readonly string[] | undefined>>;
  return [...fieldAttributes].flatMap(([field, attribute]) => {
    const values = lists[field] ?? [];
    const notValues = lists[`not${field.charAt(0).toUpperCase()}${field.slice(1)}`] ?? [];
    return values.length + notValues.length === 0 ? [] : [{ attribute, values, notValues, namespace }];
  });
}
