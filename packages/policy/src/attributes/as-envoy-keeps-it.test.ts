import { parseWorkload } from "@signet/documents";
import { expect, test } from "vitest";
import { type AuthorizationRequest, requestHeaders } from "../authorization-request.ts";
import { compilePolicies } from "../compile-policies.ts";
import { decide } from "../decide.ts";
import { policiesFor } from "../policies-for.ts";
import { makePolicy, type RuleParts } from "../testing/generate-policies.ts";

function allows(
  rule: RuleParts,
  parts: Partial<AuthorizationRequest> & { readonly pairs?: readonly [string, string][] },
): boolean {
  const { compiled } = compilePolicies({ documents: [makePolicy({ rules: [rule] })], refused: [] });
  const { pairs = [], ...request } = parts;
  const plain = { kind: "http", method: "GET", path: "/", headers: requestHeaders(pairs) } as const;
  return (
    decide(policiesFor(compiled, parseWorkload("foo")), { ...plain, ...request } as AuthorizationRequest).effect ===
    "allow"
  );
}

test.each([
  ["x-team", true],
  ["user-agent", false],
  ["accept", false],
  ["cookie", true],
] as const)("two values of %s: each is one, %s", (name, apart) => {
  const when = [{ key: `request.headers[${name}]`, values: ["red"] }];
  expect(
    allows(
      { when },
      {
        pairs: [
          [name, "blue"],
          [name, "red"],
        ],
      },
    ),
  ).toBe(apart);
  const joined = [{ key: `request.headers[${name}]`, values: ["blue,red"] }];
  expect(
    allows(
      { when: joined },
      {
        pairs: [
          [name, "blue"],
          [name, "red"],
        ],
      },
    ),
  ).toBe(!apart);
});

test("nothing stands beside an empty value of a header that is kept as one", () => {
  const when = [{ key: "request.headers[accept]", values: ["red"] }];
  expect(
    allows(
      { when },
      {
        pairs: [
          ["accept", ""],
          ["Accept", "red"],
          ["accept", ""],
        ],
      },
    ),
  ).toBe(true);
});

test("a server name is in lower case", () => {
  const asks = (value: string): RuleParts => ({ when: [{ key: "connection.sni", values: [value] }] });
  expect(allows(asks("shop.example"), { sni: "Shop.EXAMPLE" })).toBe(true);
  expect(allows(asks("Shop.EXAMPLE"), { sni: "Shop.EXAMPLE" })).toBe(false);
});

test("operators of a path template cover a star", () => {
  expect(allows({ to: [{ paths: ["/cart/{*}"] }] }, { path: "/cart/a*b" })).toBe(true);
  expect(allows({ to: [{ paths: ["/cart/{**}"] }] }, { path: "/cart/a/*" })).toBe(true);
});

test.each([
  ["spiffe://cluster.local/ns/foo/sa/bar\x80", true],
  ["\xffspiffe://cluster.local/ns/foo/sa/bar", true],
  ["spiffe://cluster.local/ns/foo/sa/bar\0", true],
  ["spiffe://cluster.local/ns/fo\xffo/sa/bar", false],
  ["spiffe://cluster.local/ns/foo/sa/bar\n", false],
])("a namespace is found in %j: %s", (peerPrincipal, found) => {
  expect(allows({ from: [{ namespaces: ["foo"] }] }, { peerPrincipal })).toBe(found);
});
