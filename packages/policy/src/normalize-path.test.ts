import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalizePath } from "./normalize-path.ts";

const levels = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] as const;
type Row = readonly [path: string, ...results: (string | null)[]];
const { rows }: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(new URL("testdata/normalized-paths.json", import.meta.url), "utf8"),
);

describe("paths are what Envoy makes of them (3.9)", () => {
  test.each(levels)("with %s", (normalization) => {
    const found = rows.map(([path]) => [path, normalizePath(path, { normalization }) ?? null]);
    expect(found).toEqual(rows.map(([path, ...results]) => [path, results[levels.indexOf(normalization)]]));
  });

  test("there are paths to compare", () => {
    expect(rows.length).toBeGreaterThan(300);
  });

  test("each percent-encoded octet", () => {
    for (let octet = 1; octet < 256; octet++) {
      const triplet = `%${octet.toString(16).padStart(2, "0")}`;
      const character = String.fromCharCode(octet);
      const expected = /[A-Za-z0-9._~-]/.test(character) ? character : triplet;
      expect(normalizePath(`/admin${triplet}`)).toBe(`/admin${expected}`);
      const slash = character === "/" || character === "\\" ? "/" : expected;
      expect(normalizePath(`/admin${triplet}`, { normalization: "DECODE_AND_MERGE_SLASHES" })).toBe(`/admin${slash}`);
    }
  });

  test("DEFAULT is BASE", () => {
    for (const [path] of rows) expect(normalizePath(path)).toBe(normalizePath(path, { normalization: "BASE" }));
  });

  test.each([
    ["/..;/admin", "/..;/admin"],
    ["/a/..;x=1/b", "/a/..;x=1/b"],
    ["/a/.;/b", "/a/.;/b"],
    ["/a/../b", "/b"],
  ])("parameters of dot segments stay where they are kept: %s", (path, expected) => {
    expect(normalizePath(path, { dotSegmentParameters: "keep" })).toBe(expected);
  });

  test("what is normalized has no dot segments left, and merging leaves no two slashes", () => {
    const piece = fc.constantFrom("/", "\\", ".", "..", "%2e", "%2F", "%5c", ";", "a", "%61", "%25", "?", "|");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom(...levels.slice(1)), (pieces, normalization) => {
        const path = `/${pieces.join("")}`;
        const normalized = normalizePath(path, { normalization });
        const [before = ""] = (normalized ?? "/").split("?");
        expect(before.split("/").some((segment) => segment === "." || segment === "..")).toBe(false);
        if (normalization !== "BASE" && before !== "//") expect(before).not.toContain("//");
      }),
    );
  });

  test("a long path takes no longer than its length", () => {
    const path = `/${"../;..;/%2e%2e/".repeat(70_000)}`;
    expect(normalizePath(path)).toBe("/");
  });
});
