import type { AuthorizationPolicy } from "@signet/documents";
import { makePolicy, SeededRandom } from "@signet/policy/testing";

/** One rule in terms that every engine here can say. What is absent is asked of no request. */
export type BenchRule = {
  readonly effect: "allow" | "deny";
  readonly principal?: string;
  readonly namespace?: string;
  readonly notNamespace?: string;
  readonly methods?: readonly string[];
  /** Plain, or with one star at its start or its end. */
  readonly path?: string;
  readonly notPath?: string;
  /** Plain, or with a star at its start. */
  readonly host?: string;
  readonly header?: string;
  readonly ipBlock?: string;
  readonly group?: string;
};

/** One request in those terms; headers are only ever `x-tenant`, and claims `groups`. */
export type BenchRequest = {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly tenant: string;
  readonly ip: string;
  readonly groups: readonly string[];
};

export type BenchSet = { readonly rules: readonly BenchRule[]; readonly requests: readonly BenchRequest[] };

/** How many requests are decided in turn. */
const requestCount = 64;

/** How many policies use one thing, so that more policies are more services, teams and tenants, as meshes grow. */
const perNamespace = 10;

/** Returns one rule for each policy, of the shapes that meshes have, and requests of which about half are allowed. */
export function benchSet(policies: number): BenchSet {
  const random = new SeededRandom(policies);
  const namespaces = Math.max(2, Math.ceil(policies / perNamespace));
  const rules = Array.from({ length: policies }, (_, index) => benchRule(index, namespaces, random));
  const requests = Array.from({ length: requestCount }, (_, index) =>
    benchRequest(index, { rules, namespaces, random }),
  );
  return { rules, requests };
}

function benchRule(index: number, namespaces: number, random: SeededRandom): BenchRule {
  const place = random.below(namespaces);
  const principal = `cluster.local/ns/ns-${place}/sa/svc-${random.below(5)}`;
  const path = `/api/v1/service-${place}/`;
  const effect = index % 5 === 4 ? "deny" : "allow";
  switch (index % 10) {
    case 0:
      return { effect, principal, methods: ["GET", "HEAD"], path: `${path}*` };
    case 1:
      return { effect, namespace: `ns-${place}`, methods: ["GET"], path: `${path}items/*` };
    case 2:
      return { effect, principal, methods: ["POST", "PUT"], path: `${path}orders/${index}` };
    case 3:
      return { effect, namespace: `ns-${place}`, host: `service-${place}.shop.example`, notPath: "/admin*" };
    case 4:
      return { effect, namespace: `ns-${place}`, path: `*/internal-${index}` };
    case 5:
      return { effect, header: `tenant-${index}`, methods: ["GET"], path: "/tenant/*" };
    case 6:
      return { effect, group: `group-${index}`, path: `${path}*` };
    case 7:
      return { effect, ipBlock: `10.${place % 256}.${Math.floor(place / 256)}.0/24`, methods: ["GET"] };
    case 8:
      return { effect, host: `*.team-${place}.example`, notNamespace: "untrusted" };
    default:
      return { effect, notNamespace: `ns-${place}`, path: `/private/${index}/*` };
  }
}

type Making = { readonly rules: readonly BenchRule[]; readonly namespaces: number; readonly random: SeededRandom };

/** Half of the requests follow some rule, the others are made of parts that belong to different ones. */
function benchRequest(index: number, { rules, namespaces, random }: Making): BenchRequest {
  const place = random.below(namespaces);
  const base: BenchRequest = {
    namespace: `ns-${place}`,
    serviceAccount: `svc-${random.below(5)}`,
    method: random.pick(["GET", "GET", "POST", "DELETE"]),
    path: `/api/v1/service-${random.below(namespaces)}/items/${random.below(100_000)}`,
    host: `service-${random.below(namespaces)}.shop.example`,
    tenant: `tenant-${random.below(rules.length)}`,
    ip: `192.168.${random.below(256)}.${random.below(256)}`,
    groups: ["everybody", `group-${random.below(rules.length)}`],
  };
  return index % 2 === 0 ? base : { ...base, ...followRule(random.pick(rules)) };
}

function followRule(rule: BenchRule): Partial<BenchRequest> {
  const [, , , namespace, , serviceAccount] = rule.principal === undefined ? [] : ["", ...rule.principal.split("/")];
  const inside = rule.namespace ?? namespace;
  return {
    ...(inside !== undefined && { namespace: inside }),
    ...(serviceAccount !== undefined && { serviceAccount }),
    ...(rule.methods?.[0] !== undefined && { method: rule.methods[0] }),
    ...(rule.path !== undefined && { path: rule.path.replace(/^\*/, "/api/v1").replace(/\*$/, "17?page=2") }),
    ...(rule.host !== undefined && { host: rule.host.replace("*", "api") }),
    ...(rule.header !== undefined && { tenant: rule.header }),
    ...(rule.ipBlock !== undefined && { ip: rule.ipBlock.replace("0/24", "77") }),
    ...(rule.group !== undefined && { groups: ["everybody", rule.group] }),
  };
}

/** The same rule as Istio has it. */
export function toPolicy(rule: BenchRule, index: number): AuthorizationPolicy {
  const list = (value: string | undefined): readonly string[] => (value === undefined ? [] : [value]);
  const source = {
    principals: list(rule.principal),
    namespaces: list(rule.namespace),
    notNamespaces: list(rule.notNamespace),
    ipBlocks: list(rule.ipBlock),
  };
  const operation = {
    methods: rule.methods ?? [],
    paths: list(rule.path),
    notPaths: list(rule.notPath),
    hosts: list(rule.host),
  };
  const asks = (fields: Readonly<Record<string, readonly string[]>>): boolean =>
    Object.values(fields).some((values) => values.length > 0);
  return makePolicy({
    name: `policy-${index}`,
    action: rule.effect === "allow" ? "ALLOW" : "DENY",
    rules: [
      {
        ...(asks(source) && { from: [source] }),
        ...(asks(operation) && { to: [operation] }),
        when: [
          ...(rule.header === undefined ? [] : [{ key: "request.headers[x-tenant]", values: [rule.header] }]),
          ...(rule.group === undefined ? [] : [{ key: "request.auth.claims[groups]", values: [rule.group] }]),
        ],
      },
    ],
  });
}
