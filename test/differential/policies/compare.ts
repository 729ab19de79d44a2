import { setTimeout as sleep } from "node:timers/promises";
import { parseWorkload } from "@signet/documents";
import { compilePolicies, type Decision, policiesFor, type WorkloadPolicies } from "@signet/policy";
import { Random } from "../support/random.ts";
import { RawConnection } from "../support/raw-client.ts";
import { askEngine, decideConnection, describeSketch, type EngineAnswer } from "./ask-engine.ts";
import { askEnvoy, connectAs, type EnvoyAnswer, letsThrough } from "./ask-envoy.ts";
import type { PolicyMesh } from "./envoy-mesh.ts";
import type { Identities } from "./identities.ts";
import { type PolicySet, trustDomain, trustDomainAliases } from "./policy-sets.ts";
import { requestsFor } from "./requests.ts";
import { connectionKey, type Sketch } from "./sketch.ts";

/** What came of a run. */
export type PolicyFigures = {
  /** Requests and connections that both sides decided. */
  decisions: number;
  readonly outcomes: Map<string, number>;
  /** What Envoy answered before it asked any filter. */
  readonly undecided: Map<string, number>;
  /** Fit to be read. */
  readonly unexplained: string[];
};

/** What a run is made of. */
export type PolicyRun = {
  readonly mesh: PolicyMesh;
  readonly identities: Identities;
  readonly seed: number;
  readonly httpPerSet: number;
  readonly tcpPerSet: number;
};

/** Puts requests and connections to Envoy and to the engine, and says where they differ. */
export async function comparePolicies(run: PolicyRun, policySets: readonly PolicySet[]): Promise<PolicyFigures> {
  const figures: PolicyFigures = { decisions: 0, outcomes: new Map(), undecided: new Map(), unexplained: [] };
  const asked: TcpQuestion[] = [];
  for (const policySet of policySets) {
    const options = { trustDomain, trustDomainAliases };
    const { compiled } = compilePolicies({ documents: policySet.policies, refused: [] }, options);
    const subject = { run, policySet, policies: policiesFor(compiled, parseWorkload("foo/app=httpbin")) };
    const random = new Random(run.seed * 1_000_003 + policySet.index);
    await compareHttp(subject, requestsFor(random, policySet, run.httpPerSet), figures);
    asked.push(...(await askTcp(subject, requestsFor(random, policySet, run.tcpPerSet))));
  }
  await compareTcp(run.mesh, asked, figures);
  return figures;
}

type Subject = { readonly run: PolicyRun; readonly policySet: PolicySet; readonly policies: WorkloadPolicies };

async function compareHttp(subject: Subject, sketches: readonly Sketch[], figures: PolicyFigures): Promise<void> {
  const { mesh, identities } = subject.run;
  const knock = { ports: mesh.portsOf(subject.policySet, "http"), identities };
  for (const together of Map.groupBy(sketches, connectionKey).values()) {
    let connection: RawConnection | undefined;
    for (const sketch of together) {
      if (connection?.usable !== true) connection = new RawConnection(await connectAs(knock, sketch));
      const theirs = await askEnvoy(connection, sketch);
      if (theirs === undefined || isUndecided(theirs)) count(figures.undecided, theirs?.details ?? "closed");
      else compareAnswers(subject, { sketch, theirs, ours: await askEngine(subject.policies, sketch) }, figures);
    }
    connection?.close();
  }
}

/** Whether Envoy has answered a request that no filter has seen. */
function isUndecided({ status, details }: EnvoyAnswer): boolean {
  return status === 400 || details === "absolute_path_rejected";
}

type Answers = { readonly sketch: Sketch; readonly theirs: EnvoyAnswer; readonly ours: EngineAnswer };

function compareAnswers({ policySet }: Subject, { sketch, theirs, ours }: Answers, figures: PolicyFigures): void {
  const [expected, actual] =
    ours.kind === "rejected"
      ? [
          `${ours.rejection.status} jwt`,
          theirs.details.startsWith("jwt_authn_access_denied") ? `${theirs.status} jwt` : theirs.details,
        ]
      : [expectedOf(policySet, ours.decision), actualOf(policySet, theirs)];
  note(figures, {
    what: actual.split(" with ")[0] ?? "",
    expected,
    actual,
    about: () => `${describeSketch(sketch)}\n  policies ${policySet.text}`,
  });
}

type Note = { readonly what: string; readonly expected: string; readonly actual: string; readonly about: () => string };

function note(figures: PolicyFigures, { what, expected, actual, about }: Note): void {
  figures.decisions++;
  count(figures.outcomes, what.replace(/ns\[.*\]/, "a rule"));
  if (expected !== actual) figures.unexplained.push(`${about()}\n  ours  ${expected}\n  Envoy ${actual}`);
}

/** Which policies there are; what an absent filter would say is not asked for. */
function has({ policies }: PolicySet, action: string, dryRun: boolean): boolean {
  return policies.some((policy) => policy.action === action && policy.dryRun === dryRun);
}

/** A decision as text: the effect, what decided, and what was only watched. */
function expectedOf(policySet: PolicySet, decision: Decision): string {
  const { effect, because, id, audit, shadow } = decision;
  const decided = effect === "deny" ? `deny ${id ?? "none"}` : `allow ${because === "allow-matched" ? id : "all"}`;
  const watched = [
    ...(has(policySet, "AUDIT", false) ? [`hint ${audit.length > 0}`] : []),
    // A filter that refuses has not told yet what it only watched when the answer is written.
    ...(shadow.deny === undefined || because === "deny-matched"
      ? []
      : [`shadow deny ${shadow.deny.rule?.id ?? "none"}`]),
    ...(shadow.allow === undefined || effect === "deny" ? [] : [`shadow allow ${shadow.allow.rule?.id ?? "none"}`]),
  ];
  return `${decided} with ${watched.join(", ")}`;
}

function actualOf(policySet: PolicySet, { status, details, rbac, hint }: EnvoyAnswer): string {
  const denied = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
  const allowed = has(policySet, "ALLOW", false) ? String(rbac["enforced_effective_policy_id"] ?? "none") : "all";
  // No route is for path `*`, which is no matter of policies.
  const passed = status === 200 || details === "route_not_found";
  const decided =
    status === 403 && denied !== undefined ? `deny ${denied}` : passed ? `allow ${allowed}` : `${status} ${details}`;
  const shadowOf = (name: string): string =>
    `shadow ${name} ${rbac[`istio_dry_run_${name}_shadow_effective_policy_id`] ?? "none"}`;
  const deniedByRule = denied !== undefined && denied !== "none";
  const watched = [
    ...(has(policySet, "AUDIT", false) ? [`hint ${hint}`] : []),
    ...(has(policySet, "DENY", true) && !deniedByRule ? [shadowOf("deny")] : []),
    ...(has(policySet, "ALLOW", true) && denied === undefined ? [shadowOf("allow")] : []),
  ];
  return `${decided} with ${watched.join(", ")}`;
}

type TcpQuestion = {
  readonly subject: Subject;
  readonly sketch: Sketch;
  readonly id: string;
  readonly through: boolean;
};

async function askTcp(subject: Subject, sketches: readonly Sketch[]): Promise<readonly TcpQuestion[]> {
  const { mesh, identities } = subject.run;
  const asked: TcpQuestion[] = [];
  for (const [at, sketch] of sketches.entries()) {
    const clientPort = at + 1;
    const knock = { ports: mesh.portsOf(subject.policySet, "tcp"), identities, clientPort };
    const through = await letsThrough(await connectAs(knock, sketch)).catch((error: unknown) => {
      throw new Error(describeSketch(sketch), { cause: error });
    });
    asked.push({ subject, sketch, through, id: `tcp-${subject.policySet.index} ${clientPort}` });
  }
  return asked;
}

const logLimitMs = 20_000;

async function compareTcp(mesh: PolicyMesh, asked: readonly TcpQuestion[], figures: PolicyFigures): Promise<void> {
  let log = await mesh.tcpLog();
  for (let waitedMs = 0; !asked.every(({ id }) => log.has(id)) && waitedMs < logLimitMs; waitedMs += 100) {
    await sleep(100);
    log = await mesh.tcpLog();
  }
  for (const { subject, sketch, id, through } of asked) {
    const { policySet, policies } = subject;
    const decision = decideConnection(policies, sketch);
    const entry = log.get(id);
    const denied = /rbac_access_denied_matched_policy\[(.*)\]/.exec(entry?.details ?? "")?.[1];
    // Ended in TLS, or in what stands before it: no policy was asked.
    if (entry !== undefined && !through && denied === undefined) {
      count(figures.undecided, "closed");
      continue;
    }
    // Of a connection that is let through Envoy does not tell by which rule.
    const expected = decision.effect === "allow" ? "allow" : `deny ${decision.id ?? "none"}`;
    const actual = entry === undefined ? "not logged" : through ? "allow" : `deny ${denied ?? "closed"}`;
    const about = (): string => `TCP ${describeSketch(sketch)}\n  policies ${policySet.text}`;
    note(figures, { what: `TCP ${actual}`, expected, actual, about });
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
