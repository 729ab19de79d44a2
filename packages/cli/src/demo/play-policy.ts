import { kubernetesSpiffeId } from "@signet/spiffe";
import { runAuthzExplain } from "../authz/explain.ts";
import { type AuthorizationServer, type DeniedRequest, policyWorkload } from "./authorization-server.ts";
import { demoNamespace, demoTrustDomain } from "./demo-workload.ts";
import { type HttpAnswer, openHttpConnection } from "./http-connection.ts";
import { knock } from "./knock.ts";
import type { Mesh } from "./mesh.ts";
import { poll } from "./poll.ts";
import type { IssueCredentials } from "./strangers.ts";
import type { Timeline } from "./timeline.ts";

/** What came of a policy with a mistake in it, through both sidecars. */
export type PolicyFindings = {
  /** What the frontend was answered while the policy had its mistake. */
  readonly denied: { readonly status: number; readonly body: string };
  /** What `signet authz explain` says of that request. */
  readonly sentence: string;
  /** What the frontend was answered once the policy was mended. */
  readonly mendedStatus: number;
  /** What another workload of the mesh was answered: without a policy, and with the mended one. */
  readonly otherWorkload: { readonly before: number; readonly after: number };
};

/** Who plays the act. */
export type PolicyActOptions = {
  readonly timeline: Timeline;
  readonly mesh: Mesh;
  readonly issueOurs: IssueCredentials;
};

const reloadLimitMs = 15_000;
const other = kubernetesSpiffeId({
  trustDomain: demoTrustDomain,
  namespace: demoNamespace,
  serviceAccount: "another",
});

/** The principal that the policy must name, and the one that it names by mistake. */
export const policyPrincipals = {
  right: "cluster.local/ns/demo/sa/frontend",
  mistaken: "cluster.local/ns/demo/sa/fronted",
} as const;

/** Applies a policy with a typo, has the request that it denies explained, mends the policy; nothing is restarted. */
export async function playPolicy(options: PolicyActOptions, signal: AbortSignal): Promise<PolicyFindings> {
  const { timeline, mesh } = options;
  const { policies } = mesh;
  const before = await statusOfOther(options);
  const frontend = openHttpConnection(mesh.outbound.address);
  try {
    await policies.apply(policyFor(policyPrincipals.mistaken));
    timeline.say("applied: an AuthorizationPolicy by which the frontend alone may call the backend");
    const denied = await answerOtherThan(200, () => frontend.get("/"), signal);
    timeline.say(`the frontend's next request is answered ${denied.status} ${denied.body}`);

    const sentence = await explain(policies, signal);
    timeline.say(`signet authz explain: ${sentence}`);

    await policies.apply(policyFor(policyPrincipals.right));
    timeline.say(`mended: the policy names ${policyPrincipals.right}; nothing is restarted`);
    const mended = await answerOtherThan(denied.status, () => frontend.get("/"), signal);
    const after = await statusOfOther(options);
    const isWell = mended.status === 200 && after === 403;
    timeline.say(
      `the frontend's request is answered ${mended.status}, that of another workload of the mesh ${after} (${before} before)`,
      isWell ? "good" : "bad",
    );
    return {
      denied: { status: denied.status, body: denied.body },
      ...{ sentence, mendedStatus: mended.status, otherWorkload: { before, after } },
    };
  } finally {
    frontend.close();
  }
}

function policyFor(principal: string): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: backend, namespace: ${demoNamespace} }
spec:
  selector: { matchLabels: { app: backend } }
  rules:
    - from: [{ source: { principals: ["${principal}"] } }]
      to: [{ operation: { methods: [GET] } }]
`;
}

/** The first answer with another status; what is asked goes through both sidecars each time. */
async function answerOtherThan(
  status: number,
  ask: () => Promise<HttpAnswer>,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const look = async (): Promise<HttpAnswer | undefined> => {
    const answer = await ask();
    return answer.status === status ? undefined : answer;
  };
  return await poll(look, { what: `another answer than ${status}`, limitMs: reloadLimitMs }, signal);
}

async function statusOfOther({ mesh, issueOurs }: PolicyActOptions): Promise<number> {
  const outcome = await knock(mesh.inbound.address, await issueOurs(other));
  if (outcome.kind === "answered") return outcome.status;
  throw new Error(`another workload of the mesh got no answer (${outcome.kind})`);
}

/** The sentence of `signet authz explain` about the request that was denied last, as the decision log describes it. */
async function explain(policies: AuthorizationServer, signal: AbortSignal): Promise<string> {
  const patience = { what: "the denied request in the decision log", limitMs: reloadLimitMs };
  const { method, host, path, peerPrincipal } = await poll<DeniedRequest>(policies.lastDenied, patience, signal);
  const written = { out: "", err: "" };
  await runAuthzExplain(
    [
      ...["--policies", policies.directory, "--workload", policyWorkload, "--json"],
      ...["--method", method, "--host", host, "--path", path, "--principal", peerPrincipal],
    ],
    {},
    {
      stdin: process.stdin,
      stdout: { write: (text: string) => (written.out += text) },
      stderr: { write: (text: string) => (written.err += text) },
    },
  );
  if (written.out === "") throw new Error(written.err.trimEnd());
  const { sentence } = JSON.parse(written.out) as { readonly sentence?: unknown };
  return String(sentence);
}
