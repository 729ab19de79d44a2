import type {
  AuthorizationPolicy,
  Document,
  MeshConfig,
  PeerAuthentication,
  RequestAuthentication,
} from "@signet/documents";
import { type Attached, mayShareWorkload } from "./attachment.ts";
import { facetsOfPolicy, type RuleFacets } from "./facet.ts";

/** Everything that checks look at, sorted. */
export type LintContext = {
  readonly policies: readonly AuthorizationPolicy[];
  /** Of all policies, in their order. */
  readonly rules: readonly RuleFacets[];
  readonly requestAuthentications: readonly RequestAuthentication[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly rootNamespace: string;
  readonly meshConfig?: MeshConfig;
  /** The trust domain and its aliases, and others' that the mesh config vouches for. */
  readonly trustDomains: ReadonlySet<string>;
  /** Policies that some workload of `document` may have too, itself included. */
  policiesNear(document: Attached): readonly AuthorizationPolicy[];
  /** RequestAuthentications with rules that some workload of `document` may have too. */
  tokensNear(document: Attached): readonly RequestAuthentication[];
};

const defaultRootNamespace = "istio-system";
const defaultTrustDomain = "cluster.local";

/** Sorts documents for the checks. */
export function createLintContext(documents: readonly Document[], meshConfig: MeshConfig | undefined): LintContext {
  const policies = documents.filter((document) => document.kind === "AuthorizationPolicy");
  const requestAuthentications = documents.filter((document) => document.kind === "RequestAuthentication");
  const rootNamespace = meshConfig?.rootNamespace ?? defaultRootNamespace;
  const withRules = requestAuthentications.filter(({ jwtRules }) => jwtRules.length > 0);
  return {
    policies,
    rules: policies.flatMap(facetsOfPolicy),
    requestAuthentications,
    peerAuthentications: documents.filter((document) => document.kind === "PeerAuthentication"),
    rootNamespace,
    ...(meshConfig !== undefined && { meshConfig }),
    trustDomains: new Set<string>([
      meshConfig?.trustDomain ?? defaultTrustDomain,
      ...(meshConfig?.trustDomainAliases ?? []),
      ...(meshConfig?.caCertificates ?? []).flatMap(({ trustDomains }) => trustDomains),
    ]),
    policiesNear: nearIn(policies, rootNamespace),
    tokensNear: nearIn(withRules, rootNamespace),
  };
}

/** By namespace, so that what is asked of each document does not grow with the mesh. */
function nearIn<T extends Attached>(
  documents: readonly T[],
  rootNamespace: string,
): (document: Attached) => readonly T[] {
  const byNamespace = Map.groupBy(documents, ({ namespace }) => namespace);
  const inRoot = byNamespace.get(rootNamespace) ?? [];
  return (document) => {
    const inReach =
      document.namespace === rootNamespace ? documents : [...(byNamespace.get(document.namespace) ?? []), ...inRoot];
    return inReach.filter((other) => mayShareWorkload(document, other, rootNamespace));
  };
}

/** Whether a condition that never matches lets more requests through: a DENY that denies less, an exception that is none. */
export function failsOpen({ action }: Pick<AuthorizationPolicy, "action">, negative: boolean): boolean {
  if (action === "ALLOW") return negative;
  return (action === "DENY" || action === "CUSTOM") && !negative;
}
