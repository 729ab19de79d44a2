import { readFileSync } from "node:fs";

/** What docs/vault.md tells an operator to write into Vault. */
export type DocumentedAccess = {
  /** In HCL, for a mount called pki. */
  readonly policy: string;
  readonly role: Readonly<Record<string, unknown>>;
  readonly servingRole: Readonly<Record<string, unknown>>;
};

/**
 * Returns the policy and the two roles that docs/vault.md prints: its one hcl block and its two json blocks.
 * @example
 * ```ts
 * import { readDocumentedAccess } from "@signet/ca-vault/testing";
 * readDocumentedAccess().role.use_csr_sans; // false
 * ```
 */
export function readDocumentedAccess(): DocumentedAccess {
  const text = readFileSync(new URL("../../../../docs/vault.md", import.meta.url), "utf8");
  const blocks = [...text.matchAll(/^```(hcl|json)\n(.*?)^```$/gms)];
  const of = (label: string): readonly string[] =>
    blocks.filter(([, found]) => found === label).map(([, , body = ""]) => body);
  const [policy, ...policies] = of("hcl");
  const [role, servingRole, ...roles] = of("json").map(parseRole);
  if (policy === undefined || role === undefined || servingRole === undefined || policies.length + roles.length > 0) {
    throw new Error("docs/vault.md does not have exactly one hcl block and two json blocks");
  }
  return { policy, role, servingRole };
}

function parseRole(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new Error("a role in docs/vault.md is no object");
  return { ...value };
}
