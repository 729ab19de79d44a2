import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalizePath, type PathNormalization } from "./normalize-path.ts";

const levels: readonly PathNormalization[] = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"];

describe("normalizePath", () => {
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
    expect(levels.map((level) => normalizePath(path, level))).toEqual(expected);
  });

  test("takes no encoded NUL", () => {
    expect(normalizePath("/a%00b", "BASE")).toBeUndefined();
    expect(normalizePath("/a?b=%00", "BASE")).toBe("/a?b=%00");
  });

  test.each(["/a#b", "/#", "a", "\\a", "", "http://x/a", "?a", "*?a"])("takes no %s", (path) => {
    expect(levels.map((level) => normalizePath(path, level))).toEqual([undefined, undefined, undefined, undefined]);
  });

  test("has nothing left to do with what it has done", () => {
    const piece = fc.constantFrom("/", "a", "..", ".", ";", "%2e", "%2F", "%5c", "%61", "\\", "%", "25", "?", "%252e");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom(...levels), (pieces, level) => {
        const once = normalizePath(`/${pieces.join("")}`, level);
        if (once === undefined) return;
        const [path = ""] = once.split("?", 1);
        if (level !== "NONE")
          expect(path.split("/").some((segment) => segment === "." || segment === "..")).toBe(false);
        if (!path.includes("%")) expect(normalizePath(once, level)).toBe(once);
      }),
      { seed: 11 },
    );
  });
});
