import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { vaultHealthReasons } from "./health-board.ts";
import { vaultSettings } from "./setting-spec.ts";
import { readDocumentedAccess } from "./testing.ts";

const text = readFileSync(new URL("../../../docs/vault.md", import.meta.url), "utf8");

describe("docs/vault.md", () => {
  it("has a row for every reason, and no other", () => {
    const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (?:failing|degraded) \|/gm)].map(([, reason]) => reason);
    expect(rows.toSorted()).toEqual(vaultHealthReasons.toSorted());
  });

  it("names no variable that is not read", () => {
    const known = new Set(Object.values(vaultSettings).map(({ env }) => env));
    // How the tests find a server of one's own.
    const ofTests = new Set(["VAULT_BINARY"]);
    const named = [...text.matchAll(/`((?:SIGNET_)?VAULT_[A-Z_]+)(?:=[^`]*)?`/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !known.has(name) && !ofTests.has(name) && !name.endsWith("_"))).toEqual([]);
  });

  it("prints roles that take no name from a CSR", () => {
    const { role, servingRole } = readDocumentedAccess();
    for (const one of [role, servingRole]) {
      expect(one).toMatchObject({ use_csr_sans: false, use_csr_common_name: false, no_store: true });
    }
  });
});
