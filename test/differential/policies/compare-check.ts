import { parseWorkload } from "@signet/documents";
import { compilePolicies, policiesFor } from "@signet/policy";
import { Random } from "../support/random.ts";
import { RawConnection } from "../support/raw-client.ts";
import { askEngine, describeSketch } from "./ask-engine.ts";
import { askEnvoy, connectAs, type EnvoyAnswer } from "./ask-envoy.ts";
import type { CheckMesh } from "./check-mesh.ts";
import type { PolicyFigures } from "./compare.ts";
import type { Identities } from "./identities.ts";
import { type PolicySet, trustDomain, trustDomainAliases } from "./policy-sets.ts";
import { requestsFor } from "./requests.ts";
import { connectionKey, type Sketch } from "./sketch.ts";

/** What a run is made of. */
export type CheckRun = {
  readonly mesh: CheckMesh;
  readonly identities: Identities;
  readonly seed: number;
  readonly perSet: number;
};

/** Puts requests to an Envoy that asks the authorization server, and to the engine, and says where they differ. */
export async function compareChecks(
  { mesh, identities, seed, perSet }: CheckRun,
  policySets: readonly PolicySet[],
): Promise<PolicyFigures> {
  const figures: PolicyFigures = { decisions: 0, outcomes: new Map(), undecided: new Map(), unexplained: [] };
  for (const policySet of policySets) {
    const { compiled } = compilePolicies(
      { documents: policySet.policies, refused: [] },
      { trustDomain, trustDomainAliases },
    );
    const policies = policiesFor(compiled, parseWorkload("foo/app=httpbin"));
    const random = new Random(seed * 2_000_003 + policySet.index);
    const sketches = requestsFor(random, policySet, perSet).map(asServerSees);
    for (const together of Map.groupBy(sketches, connectionKey).values()) {
      let connection: RawConnection | undefined;
      for (const sketch of together) {
        if (connection?.usable !== true) {
          connection = new RawConnection(await connectAs({ ports: mesh.portsOf(policySet), identities }, sketch));
        }
        const theirs = await askEnvoy(connection, sketch);
        // Without a route Envoy asks nobody, and answers 404.
        const unasked = ["absolute_path_rejected", "route_not_found"];
        if (theirs === undefined || theirs.status === 400 || unasked.includes(theirs.details)) continue;
        // What Envoy tells as the source is what the PROXY protocol says.
        const ours = await askEngine(policies, { ...sketch, directIp: sketch.proxiedIp });
        const decided = ours.kind === "rejected" ? undefined : ours.decision;
        const expected =
          decided === undefined
            ? `${ours.kind === "rejected" ? ours.rejection.status : 0} jwt`
            : `${decided.effect} ${decided.id ?? "none"}`;
        const actual = ours.kind === "rejected" ? `${theirs.status} jwt` : actualOf(theirs);
        figures.decisions++;
        const what = actual.replace(/ns\[.*\]/, "a rule");
        figures.outcomes.set(what, (figures.outcomes.get(what) ?? 0) + 1);
        if (expected !== actual) {
          const lines = [
            describeSketch(sketch),
            `  policies ${policySet.text}`,
            `  engine ${expected}`,
            `  server ${actual} ${theirs.details}`,
          ];
          figures.unexplained.push(lines.join("\n"));
        }
      }
      connection?.close();
    }
  }
  return figures;
}

/** The last hop before a proxy is the proxy's own peer, and is told apart only where it is another one. */
function asServerSees(sketch: Sketch): Sketch {
  const { forwardedFor, ...others } = sketch;
  return forwardedFor?.split(",").at(-1)?.trim() === sketch.proxiedIp ? others : sketch;
}

function actualOf({ status, check }: EnvoyAnswer): string {
  const effect = status === 403 ? "deny" : status === 200 ? "allow" : `${status}`;
  return `${effect} ${check === "" || check === "-" ? "none" : check}`;
}
