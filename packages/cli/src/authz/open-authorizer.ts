import { type Authorizer, createAuthorizer, type DocumentSet } from "@signet/authorizer";
import { describeProblem, type MeshConfig, type Workload } from "@signet/documents";
import { type CompiledPolicies, compilePolicies } from "@signet/policy";
import { type SettingsOf, systemClock } from "@signet/runtime";
import { readJwks } from "../input/read-jwks.ts";
import { readMeshConfig } from "../input/read-mesh-config.ts";
import type { decideSettings } from "./decide-settings.ts";
import { readPolicies } from "./read-policies.ts";

/** Values of the flags that all commands have which decide requests. */
export type DecideValues = SettingsOf<typeof decideSettings>;

/** The documents of a command line, ready to decide. */
export type OpenAuthorizer = {
  readonly meshConfig: MeshConfig;
  /** The policies as the authorizers compile them; compiled when they are first asked for. */
  compiled(): CompiledPolicies;
  readonly authorizer: Authorizer;
  /** Others by the same documents, made when they are first asked for. */
  authorizerFor(how: Believing): Authorizer;
  /** What is wrong with single documents, a line each. */
  readonly remarks: readonly string[];
};

/** What is believed of a request besides what a proxy would. */
export type Believing = {
  /** The claims in its metadata, so that no token is verified. */
  readonly claims: boolean;
  /** The address in `x-forwarded-for`. */
  readonly remoteIp: boolean;
};

/** Returns the workload of a command line, or throws. */
export function workloadOf({ workload }: DecideValues): Workload {
  if (workload !== undefined) return workload;
  throw new Error("--workload is missing: whom the requests are to, such as foo/app=httpbin");
}

/** Reads all files that a command line names. Throws an error of a line for each problem where nothing can be decided. */
export async function openAuthorizer(values: DecideValues): Promise<OpenAuthorizer> {
  const meshConfig = await readMeshConfig(values.meshConfig);
  const set = await readPolicies(values);
  const trustedHops = values.trustedHops ?? meshConfig.numTrustedProxies;
  const { now, profile, jwtFirst } = values;
  const compileOptions = {
    trustDomainAliases: meshConfig.trustDomainAliases,
    ...(meshConfig.trustDomain !== undefined && { trustDomain: meshConfig.trustDomain }),
    ...(meshConfig.rootNamespace !== undefined && { rootNamespace: meshConfig.rootNamespace }),
  };
  const options = {
    ...{ ...compileOptions, profile, jwtFirst, jwksOf: await readJwks(values.jwks) },
  };
  const allowing = new Set(values.customAllow);
  const dependencies = {
    clock: now === undefined ? systemClock : { now: () => now, sleep: systemClock.sleep },
    random: Math.random,
    custom: { ask: async ({ provider }: { readonly provider: string }) => answerOf(allowing.has(provider)) },
  };
  const made = new Map<string, Authorizer>();
  const authorizerFor = ({ claims, remoteIp }: Believing): Authorizer => {
    const key = `${claims} ${remoteIp}`;
    const hops = remoteIp ? 1 : trustedHops;
    const withHops = { ...options, ...(hops !== undefined && { trustedHops: hops }) };
    const authorizer = made.get(key) ?? createAuthorizer(claims ? withoutTokens(set) : set, withHops, dependencies);
    made.set(key, authorizer);
    return authorizer;
  };
  let policies: CompiledPolicies | undefined;
  return {
    ...{ meshConfig, authorizerFor },
    compiled() {
      policies ??= compilePolicies(set, compileOptions).compiled;
      return policies;
    },
    authorizer: authorizerFor({ claims: false, remoteIp: false }),
    remarks: [
      ...set.refused.flatMap(({ problems }) => problems).map(describeProblem),
      ...set.warnings.map((warning) => `warning: ${describeProblem(warning)}`),
    ],
  };
}

/** Where no document says how tokens are verified, what others have found out counts. */
function withoutTokens({ documents, refused }: DocumentSet): Pick<DocumentSet, "documents" | "refused"> {
  const isOther = ({ kind }: { readonly kind?: string }): boolean => kind !== "RequestAuthentication";
  return {
    documents: documents.filter(isOther),
    refused: refused.filter(({ kind }) => kind !== undefined && isOther({ kind })),
  };
}

type Answer = { readonly kind: "allowed" } | { readonly kind: "denied"; readonly answer: typeof denied };

const denied = { status: 403, body: "", headers: [] };

function answerOf(isAllowed: boolean): Answer {
  return isAllowed ? { kind: "allowed" } : { kind: "denied", answer: denied };
}
