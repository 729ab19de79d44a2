import { describe, expect, test } from "vitest";
import { ask, jwkOf, keys, rule, ruleOfB, type TestRequest, tokenOfA, tokenOfB, verdict } from "./test-tokens.ts";

const good = tokenOfA();
const custom = rule({
  fromHeaders: [
    { name: "X-Token", prefix: "" },
    { name: "x-prefixed", prefix: "Tok" },
  ],
  fromParams: ["q"],
  fromCookies: ["session"],
});

describe("section 4.3: where tokens are looked for", () => {
  test.each<[string, TestRequest, string]>([
    ["authorization", { bearer: good }, "a/alice"],
    ["any case of the header's name", { headers: [["AUTHORIZATION", `Bearer ${good}`]] }, "a/alice"],
    ["access_token", { path: `/x?a=1&access_token=${good}&b=2` }, "a/alice"],
    ["prefix in another case counts as no token", { headers: [["authorization", `bearer ${good}`]] }, "anonymous"],
    ["another scheme counts as no token", { headers: [["authorization", "Basic YTpi"]] }, "anonymous"],
    ["prefix anywhere in the value", { headers: [["authorization", `Other Bearer ${good}`]] }, "a/alice"],
    ["what is no letter of a token before it", { headers: [["authorization", `Bearer  "${good}`]] }, "a/alice"],
    ["junk after a token belongs to it", { bearer: `${good},junk` }, "signature-encoding-invalid"],
    ["prefix with no letter of a token after it", { headers: [["authorization", "Bearer !!"]] }, "token-malformed"],
    ["opaque bearer", { bearer: "opaque" }, "token-malformed"],
    ["empty parameter", { path: "/?access_token=" }, "token-malformed"],
    ["parameter without a value", { path: "/?access_token" }, "token-malformed"],
    ["percent-decoded parameter", { path: `/?access%5Ftoken=${good.replaceAll(".", "%2E")}` }, "a/alice"],
    ["plus is no space", { path: `/?access_token=+${good}` }, "header-encoding-invalid"],
    ["broken percent encoding stands for itself", { path: `/?access_token=%zz${good}%` }, "header-encoding-invalid"],
    ["first of a repeated parameter", { path: `/?access_token=${good}&access_token=bad` }, "a/alice"],
    ["cookies are not looked at", { headers: [["cookie", `access_token=${good}`]] }, "anonymous"],
  ])("default places: %s", async (_name, request, expected) => {
    expect(await verdict([rule()], request)).toBe(expected);
  });

  test.each<[string, TestRequest, string]>([
    ["the default places are no more", { bearer: "bad", path: "/?access_token=bad" }, "anonymous"],
    ["header without a prefix is the token as a whole", { headers: [["x-token", good]] }, "a/alice"],
    ["which may be empty", { headers: [["x-token", ""]] }, "token-malformed"],
    ["header with a prefix", { headers: [["x-prefixed", `Tok=${good}`]] }, "a/alice"],
    ["parameter", { path: `/?q=${good}` }, "a/alice"],
    ["cookie", { headers: [["cookie", `a=b;  session=${good}; c`]] }, "a/alice"],
    ["cookie in quotes", { headers: [["cookie", `session="${good}"`]] }, "a/alice"],
    ["first of a repeated cookie", { headers: [["cookie", `session=${good}; session=bad`]] }, "a/alice"],
    [
      "second cookie header",
      {
        headers: [
          ["cookie", "a=b"],
          ["cookie", `session=${good}`],
        ],
      },
      "a/alice",
    ],
    ["cookie without a value", { headers: [["cookie", "session"]] }, "anonymous"],
    [
      "each of a repeated header",
      {
        headers: [
          ["x-token", good],
          ["x-token", good],
        ],
      },
      "a/alice",
    ],
  ])("configured places: %s", async (_name, request, expected) => {
    expect(await verdict([custom], request)).toBe(expected);
  });

  test("authorization is one value however often it is sent", async () => {
    const headers = [
      ["authorization", `Bearer ${good}`],
      ["authorization", `Bearer ${good}`],
    ] as const;
    expect(await verdict([rule()], { headers })).toBe("token-malformed");
  });

  test.each<[string, TestRequest, string]>([
    ["all good", { bearer: good, path: `/?access_token=${tokenOfA({ sub: "other" })}` }, "a/alice"],
    ["the last place is bad", { bearer: good, path: "/?access_token=x.y.z" }, "header-encoding-invalid"],
    ["the first place is bad", { bearer: "bad", path: `/?access_token=${good}` }, "token-malformed"],
    [
      "the last place is judged first",
      { bearer: "bad", path: `/?access_token=${tokenOfA({ exp: 1 })}` },
      "token-expired",
    ],
  ])("several tokens for one rule, all must be valid: %s", async (_name, request, expected) => {
    expect(await verdict([rule()], request)).toBe(expected);
  });

  test("a rule gets tokens from its own places only", async () => {
    const a = rule({ fromHeaders: [{ name: "x-a", prefix: "" }] });
    const b = ruleOfB({ fromHeaders: [{ name: "x-b", prefix: "" }] });
    expect(await verdict([a, b], { headers: [["x-b", good]] })).toBe("issuer-unknown");
    expect(await verdict([a, b], { headers: [["x-b", tokenOfB()]] })).toBe("b/bob");
  });

  test("an output header is never a place", async () => {
    const own = rule({ outputPayloadToHeader: "Authorization" });
    expect(await verdict([own], { bearer: good })).toBe("anonymous");
    const result = await ask([own], { bearer: good });
    expect(result.kind === "anonymous" && result.upstream.remove).toEqual(["authorization"]);
    const later = ruleOfB({ outputPayloadToHeader: "Authorization" });
    expect(await verdict([rule(), later], { bearer: good })).toBe("anonymous");
    const cookies = rule({ fromCookies: ["s"], outputPayloadToHeader: "Cookie" });
    expect(await verdict([cookies], { headers: [["cookie", `s=${good}`]] })).toBe("anonymous");
  });

  test.each(["authorization", "origin", "user-agent"])("two values of %s are one with a comma", async (name) => {
    const own = rule({ fromHeaders: [{ name, prefix: "Bearer " }] });
    const headers = [
      [name, `Bearer ${good}`],
      [name, "junk"],
    ] as const;
    expect(await verdict([own], { headers })).toBe("signature-encoding-invalid");
  });

  test("an empty value of a header that is kept as one changes nothing", async () => {
    const headers = [
      ["authorization", ""],
      ["authorization", `Bearer ${good}`],
      ["authorization", ""],
    ] as const;
    expect(await verdict([rule()], { headers })).toBe("a/alice");
  });

  test("names beyond ASCII are compared as octets", async () => {
    const octets = Buffer.from("é").toString("latin1");
    expect(await verdict([rule({ fromParams: ["é"] })], { path: `/?%C3%A9=${good}` })).toBe("a/alice");
    expect(await verdict([rule({ fromCookies: ["é"] })], { headers: [["cookie", `${octets}=${good}`]] })).toBe(
      "a/alice",
    );
  });

  test("places and keys of another rule make no difference", async () => {
    const other = rule({ issuer: "c", keySet: [jwkOf(keys.ed)], fromParams: ["q"] });
    expect(await verdict([other, rule()], { bearer: good })).toBe("a/alice");
  });
});
