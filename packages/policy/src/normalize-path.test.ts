import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalizePath } from "./normalize-path.ts";

const levels = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] as const;
type Row = readonly [path: string, ...results: (string | null)[]];
const { rows }: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(new URL("testdata/normalized-paths.json", import.meta.url), "utf8"),
);

/** Where a safer thing is done than Envoy does: by level. `*` is the target of OPTIONS, and no path at all to Envoy. */
const onPurpose: ReadonlyMap<string, readonly string[]> = new Map([
  ["/a/%2e%2e;/b", ["/a/%2e%2e;/b", "/b", "/b", "/b"]],
  ["//", ["//", "//", "/", "/"]],
  ["///", ["///", "///", "/", "/"]],
  ["*", ["*", "*", "*", "*"]],
]);

describe("paths are what Envoy makes of them (3.9)", () => {
  test.each(levels)("with %s", (normalization) => {
    const found = rows.map(([path]) => [path, normalizePath(path, { normalization }) ?? null]);
    const column = levels.indexOf(normalization);
    const envoys = rows.map(([path, ...results]) => [path, onPurpose.get(path)?.[column] ?? results[column]]);
    expect(found).toEqual(envoys);
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
        if (normalization !== "BASE") expect(before).not.toContain("//");
      }),
    );
  });

  test.each([
    ["/a/../admin", ["/a/../admin", "/admin", "/admin", "/admin"]],
    ["/a/./b", ["/a/./b", "/a/b", "/a/b", "/a/b"]],
    ["/../../admin", ["/../../admin", "/admin", "/admin", "/admin"]],
    ["/a/b/..", ["/a/b/..", "/a/", "/a/", "/a/"]],
    ["/%61dmin", ["/%61dmin", "/admin", "/admin", "/admin"]],
    ["/a/%2e%2E/admin", ["/a/%2e%2E/admin", "/admin", "/admin", "/admin"]],
    ["/a\\..\\admin", ["/a\\..\\admin", "/admin", "/admin", "/admin"]],
    ["//admin", ["//admin", "//admin", "/admin", "/admin"]],
    ["/a%2Fadmin", ["/a%2Fadmin", "/a%2Fadmin", "/a%2Fadmin", "/a/admin"]],
    ["/a%2f..%5Cadmin", ["/a%2f..%5Cadmin", "/a%2f..%5Cadmin", "/a%2f..%5Cadmin", "/admin"]],
    ["/..;x=1/admin", ["/..;x=1/admin", "/admin", "/admin", "/admin"]],
    ["/a;x=1/b", ["/a;x=1/b", "/a;x=1/b", "/a;x=1/b", "/a;x=1/b"]],
    ["/a?b=/../%61", ["/a?b=/../%61", "/a?b=/../%61", "/a?b=/../%61", "/a?b=/../%61"]],
    ["/%zz%", ["/%zz%", "/%zz%", "/%zz%", "/%zz%"]],
    ["/Admin", ["/Admin", "/Admin", "/Admin", "/Admin"]],
    ["*", ["*", "*", "*", "*"]],
    ["/%%32%65%%32%65/admin", ["/%%32%65%%32%65/admin", ..."123".split("").map(() => "/%252e%252e/admin")]],
    ["/%2%65", ["/%2%65", "/%252e", "/%252e", "/%252e"]],
    ['/a"<>`{|}^', ['/a"<>`{|}^', ..."123".split("").map(() => "/a%22%3C%3E%60%7B%7C%7D%5E")]],
    ["//", ["//", "//", "/", "/"]],
  ])("makes of %s what each level makes of it", (path, expected) => {
    expect(levels.map((normalization) => normalizePath(path, { normalization }))).toEqual(expected);
  });

  test("takes no encoded NUL", () => {
    expect(normalizePath("/a%00b")).toBeUndefined();
    expect(normalizePath("/a?b=%00")).toBe("/a?b=%00");
  });

  test("there is nothing left to do with what is done", () => {
    const piece = fc.constantFrom("/", "a", "..", ".", ";", "%2e", "%2F", "%5c", "%61", "\\", "%", "25", "?", "%252e");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom(...levels), (pieces, normalization) => {
        const once = normalizePath(`/${pieces.join("")}`, { normalization });
        if (once === undefined || once.split("?", 1)[0]?.includes("%") === true) return;
        expect(normalizePath(once, { normalization })).toBe(once);
      }),
      { seed: 11 },
    );
  });

  test.each(["/a#b", "/#", "a", "\\a", "", "http://x/a", "?a", "*?a", "/\u00e9", "/a b", "/..;%00/admin"])(
    "not taken: %s",
    (path) => {
      const wanted = path.includes("%00") ? levels.slice(1) : levels;
      for (const normalization of wanted) expect(normalizePath(path, { normalization })).toBeUndefined();
    },
  );

  test("a long path takes no longer than its length", () => {
    const path = `/${"../;..;/%2e%2e/".repeat(70_000)}`;
    expect(normalizePath(path)).toBe("/");
  });
});
