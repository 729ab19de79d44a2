import { readFileSync } from "node:fs";

/** What docs/vault.md tells an operator to write into Vault; the demo runs with that and no more. */
export type DocumentedAccess = {
  /** In HCL, for a mount called pki. */
  readonly policy: string;
  /** Signs workloads. */
  readonly role: Readonly<Record<string, unknown>>;
  /** Signs the CA server's own certificate. */
  readonly servingRole: Readonly<Record<string, unknown>>;
};

const place = new URL("../../../../../docs/vault.md", import.meta.url);

/**
 * Returns the policy and the two roles that docs/vault.md prints: its one hcl block and its two json blocks.
 * @throws Error when it has others
 */
export function readDocumentedAccess(markdown: string = readFileSync(place, "utf8")): DocumentedAccess {
  const blocks = [...markdown.matchAll(/^```(hcl|json)\n(.*?)^```$/gms)];
  const labelled = (label: string): readonly string[] =>
    blocks.flatMap(([, found, body = ""]) => (found === label ? [body] : []));
  const [policies, roles] = [labelled("hcl"), labelled("json").map((body) => ({ ...JSON.parse(body) }))];
  const [policy, role, servingRole] = [policies[0], ...roles];
  if (policies.length !== 1 || roles.length !== 2 || !policy || !role || !servingRole) {
    throw new Error("docs/vault.md does not have exactly one hcl block and two json blocks");
  }
  return { policy, role, servingRole };
}
