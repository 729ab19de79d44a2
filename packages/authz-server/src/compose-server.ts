import {
  type Authorizer,
  type AuthorizerProblem,
  createAuthorizer,
  type DocumentSet,
  type DocumentSource,
  openDocumentSource,
} from "@signet/authorizer";
import { describeProblem, type MeshConfig, parseMeshConfig } from "@signet/documents";
import {
  type Clock,
  createLineBudget,
  errorMessage,
  type Logger,
  type Random,
  readFileCapped,
  type Task,
} from "@signet/runtime";
import { type Check, createCheck } from "./check.ts";
import { AuthzServerError } from "./errors.ts";
import { authzEvents, logEvent } from "./events.ts";
import { createFindWorkload } from "./find-workload.ts";
import { type AuthzMetrics, createAuthzMetrics, createPolicyLabels } from "./metrics.ts";
import { openProviders, type ProviderBoard, type ProviderEvents } from "./providers/provider-board.ts";
import { reportDecisions } from "./report-decisions.ts";
import type { AuthzSettings } from "./settings.ts";

/** What the server needs from outside. */
export type AuthzServerDependencies = { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

/** Settings of a server that has documents. */
export type CompleteSettings = AuthzSettings & { readonly policies: string };

/** The parts of a server, before any socket is open. */
export type ServerParts = {
  readonly source: DocumentSource;
  readonly authorizer: Authorizer;
  readonly providers: ProviderBoard;
  readonly metrics: AuthzMetrics;
  readonly check: Check;
  readonly tasks: readonly Task[];
};

const maxMeshConfigBytes = 1_048_576;
const defaultRootNamespace = "istio-system";
const maxTroubleLines = 60;

/** Reads documents and mesh config, and makes of them what answers checks. */
export async function composeServer(
  settings: CompleteSettings,
  dependencies: AuthzServerDependencies,
): Promise<ServerParts> {
  const { clock, random, logger } = dependencies;
  const meshConfig = await readMeshConfig(settings.meshConfig);
  const readings = { checksWaiting: () => 0, jwksKeys: () => 0 };
  const metrics = createAuthzMetrics({
    checksWaiting: () => readings.checksWaiting(),
    jwksKeys: () => readings.jwksKeys(),
  });
  const source = await openDocumentSource(
    { path: settings.policies, namespace: settings.namespace },
    {
      clock,
      events: {
        loaded: (set) => reportSet(set, { logger, metrics }),
        unreadable: (event) => logEvent(logger, authzEvents.documentsUnreadable, event),
      },
    },
  );
  const providers = openProviders(meshConfig.extensionProviders, {
    events: reportProviders(logger, metrics, clock),
    timeoutMs: settings.deadlineMs,
  });
  const authorizer = openAuthorizer({ settings, meshConfig, providers }, dependencies);
  let inForce = nothing;
  // Both at once, so that workloads are found by the set that decides.
  const put = (set: DocumentSet): void => {
    if (set === inForce) return;
    const problems = authorizer.replace(set);
    inForce = set;
    reportProblems(problems, logger);
  };
  put(source.sets.current() ?? nothing);
  const rootNamespace = meshConfig.rootNamespace ?? defaultRootNamespace;
  const findWorkload = createFindWorkload(
    { defaultWorkload: settings.workload, byPrincipal: settings.workloads },
    () => ({ ...inForce, rootNamespace }),
  );
  const events = reportDecisions(settings, { logger, metrics, clock, random });
  const { check, waiting } = createCheck(settings, { authorizer, findWorkload, clock, events });
  readings.checksWaiting = waiting;
  readings.jwksKeys = () => authorizer.health().reduce((sum, { keyCount }) => sum + keyCount, 0);
  const follow: Task = {
    name: "put documents in force",
    async run(signal) {
      for await (const set of source.sets.changes(signal)) put(set);
    },
  };
  return { source, authorizer, providers, metrics, check, tasks: [source.task, authorizer.task, follow] };
}

type AuthorizerParts = {
  readonly settings: CompleteSettings;
  readonly meshConfig: MeshConfig;
  readonly providers: ProviderBoard;
};

function openAuthorizer(
  { settings, meshConfig, providers }: AuthorizerParts,
  { clock, random, logger }: AuthzServerDependencies,
): Authorizer {
  const { profile, require, passOpaqueTokens, typedClaims, jwtFirst } = settings;
  const { trustDomain, trustDomainAliases, rootNamespace, numTrustedProxies } = meshConfig;
  const trustedHops = settings.trustedHops ?? numTrustedProxies;
  const keyEvents = {
    fetched: () => undefined,
    fetchFailed: ({ issuer, error }: { readonly issuer: string; readonly error: unknown }) =>
      logEvent(logger, authzEvents.keysFetchFailed, { issuer, error }),
  };
  return createAuthorizer(
    nothing,
    {
      ...{ profile, require, passOpaqueTokens, typedClaims, jwtFirst, trustDomainAliases },
      fetching: { refusedCidrs: settings.refusedCidrs },
      ...(trustDomain === undefined ? {} : { trustDomain }),
      ...(rootNamespace === undefined ? {} : { rootNamespace }),
      ...(trustedHops === undefined ? {} : { trustedHops }),
    },
    { clock, random, custom: providers, events: keyEvents },
  );
}

const nothing: DocumentSet = { documents: [], refused: [], kept: [], warnings: [], skipped: new Map(), fileCount: 0 };

/** An empty one without a file. */
async function readMeshConfig(path: string | undefined): Promise<MeshConfig> {
  let text = "";
  try {
    if (path !== undefined) text = (await readFileCapped(path, maxMeshConfigBytes)).toString("utf8");
  } catch (error) {
    const message = `mesh config ${path} cannot be read: ${errorMessage(error)}`;
    throw new AuthzServerError("mesh-config-invalid", message, { cause: error });
  }
  const parsed = parseMeshConfig(text, { file: path ?? "mesh config" });
  if (parsed.kind === "mesh-config") return parsed.meshConfig;
  throw new AuthzServerError("mesh-config-invalid", parsed.problems.map(describeProblem).join("; "));
}

type Reporting = { readonly logger: Logger; readonly metrics: AuthzMetrics };

function reportSet({ documents, refused, kept, fileCount }: DocumentSet, { logger, metrics }: Reporting): void {
  metrics.documents.set({ state: "in-force" }, documents.length);
  metrics.documents.set({ state: "refused" }, refused.length);
  metrics.documents.set({ state: "kept" }, kept.length);
  const counts = { files: fileCount, documents: documents.length, refused: refused.length, kept: kept.length };
  logEvent(logger, authzEvents.documentsLoaded, counts);
  for (const { problems } of refused.slice(0, maxTroubleLines)) {
    for (const problem of problems.slice(0, 1))
      logEvent(logger, authzEvents.documentRefused, { problem: describeProblem(problem) });
  }
  for (const { problems } of kept.slice(0, maxTroubleLines)) {
    for (const problem of problems.slice(0, 1))
      logEvent(logger, authzEvents.documentKept, { problem: describeProblem(problem) });
  }
}

/** Those of documents that were refused have been told already. */
function reportProblems(problems: readonly AuthorizerProblem[], logger: Logger): void {
  const own = problems.filter((problem) => "policy" in problem);
  for (const problem of own.slice(0, maxTroubleLines)) {
    logEvent(logger, authzEvents.policyProblem, { problem: describeProblem(problem) });
  }
}

function reportProviders(logger: Logger, metrics: AuthzMetrics, clock: Clock): ProviderEvents {
  const budget = createLineBudget(clock, maxTroubleLines);
  // Policies may name any provider, also one that there is not.
  const labelOf = createPolicyLabels();
  return {
    failed({ provider, failOpen, error }) {
      metrics.providerFailures.add({ provider: labelOf(provider) });
      const suppressed = budget.spend();
      if (suppressed !== undefined)
        logEvent(logger, authzEvents.providerFailed, { provider, failOpen, error, suppressed });
    },
  };
}
