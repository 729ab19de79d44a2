import { type AuthorizationPolicy, type AuthorizationRule, describeProblem, parseDocuments } from "@signet/documents";

/** Returns the policies of a YAML text, in namespace foo unless they say otherwise; throws for one that is refused. */
export function policiesOf(text: string): readonly AuthorizationPolicy[] {
  const { documents, refused } = parseDocuments(text, { file: "policies.yaml", namespace: "foo" });
  const [problem] = refused.flatMap(({ problems }) => problems);
  if (problem !== undefined) throw new Error(describeProblem(problem));
  return documents.flatMap((document) => (document.kind === "AuthorizationPolicy" ? [document] : []));
}

/** Returns a policy of rules in YAML, such as `[{to: [{operation: {ports: ["80"]}}]}]`; the empty text for no rules. */
export function policy(
  rules: string,
  { action = "ALLOW", name = "p", dryRun = false }: { action?: string; name?: string; dryRun?: boolean } = {},
): AuthorizationPolicy {
  const annotations = dryRun ? `, annotations: {istio.io/dry-run: "true"}` : "";
  const provider = action === "CUSTOM" ? ", provider: {name: ext}" : "";
  const spec = `{action: ${action}${provider}${rules === "" ? "" : `, rules: ${rules}`}}`;
  const [only] = policiesOf(
    `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: ${name}${annotations}}, spec: ${spec}}`,
  );
  if (only === undefined) throw new Error("there is no policy");
  return only;
}

/** A rule without from, to and when. */
export const anyRule: AuthorizationRule = {
  from: [],
  to: [],
  when: [],
  position: { file: "policies.yaml", line: 1, column: 1 },
};
