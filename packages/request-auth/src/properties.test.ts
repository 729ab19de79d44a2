import type { JwtRule } from "@signet/documents";
import fc from "fast-check";
import { expect, test } from "vitest";
import { authenticateRequestNow } from "./authenticate-request.ts";
import { compileJwtRules } from "./compile-jwt-rules.ts";
import { ask, clock, fullRequest, jwkOf, keys, noKeys, rule, type TestRequest, token, verdict } from "./test-tokens.ts";

const signers = { ec: keys.ec, otherEc: keys.otherEc, ed: keys.ed } as const;
type Signer = keyof typeof signers;
const algOf: Readonly<Record<Signer, string>> = { ec: "ES256", otherEc: "ES256", ed: "EdDSA" };

const aSigner = fc.constantFrom<Signer>("ec", "otherEc", "ed");
const anIssuer = fc.constantFrom("a", "b", "c");
const aToken = fc.record({
  iss: anIssuer,
  signer: aSigner,
  alg: fc.constantFrom("ES256", "EdDSA", "HS256", "none"),
  spoiled: fc.boolean(),
});
type MadeToken = typeof aToken extends fc.Arbitrary<infer T> ? T : never;
const aRule = fc.record({ issuer: anIssuer, signers: fc.uniqueArray(aSigner), param: fc.boolean() });
type MadeRule = typeof aRule extends fc.Arbitrary<infer T> ? T : never;

function ruleOf(made: MadeRule): JwtRule {
  return rule({
    issuer: made.issuer,
    keySet: made.signers.map((signer) => jwkOf(signers[signer])),
    ...(made.param ? { fromParams: ["q"] } : {}),
  });
}

function textOf({ iss, signer, alg, spoiled }: MadeToken): string {
  const spoil = (signature: Buffer): Buffer =>
    Buffer.from(signature.map((octet, at) => (spoiled && at === 9 ? octet ^ 4 : octet)));
  return token({ iss, sub: signer }, { alg, key: signers[signer], signature: spoil });
}

function requestWith(bearer: MadeToken | undefined, query: MadeToken | undefined): TestRequest {
  return {
    ...(bearer === undefined ? {} : { bearer: textOf(bearer) }),
    ...(query === undefined ? {} : { path: `/?q=${textOf(query)}` }),
  };
}

const aRequest = fc.tuple(fc.option(aToken, { nil: undefined }), fc.option(aToken, { nil: undefined }));

test("accepted only when a key of a rule of the token's issuer verifies it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aRule, { maxLength: 4 }), aRequest, async (made, tokens) => {
      const result = await ask(made.map(ruleOf), requestWith(...tokens));
      if (result.kind !== "authenticated") return;
      const { iss, sub } = result.claims;
      const honest = (one: MadeToken | undefined): boolean =>
        one !== undefined && one.iss === iss && one.signer === sub && !one.spoiled && one.alg === algOf[one.signer];
      expect(tokens.some(honest)).toBe(true);
      expect(result.rule.issuer).toBe(iss);
      expect(made.some(({ issuer, signers: names }) => issuer === iss && names.some((name) => name === sub))).toBe(
        true,
      );
    }),
    { numRuns: 300 },
  );
});

// Of two rules of one issuer that refuse, Envoy tells the first's reason only where no other rule stands before it.
test("a rule of another issuer changes nothing for a request with one token", async () => {
  const distinct = fc.uniqueArray(aRule, { maxLength: 3, selector: ({ issuer }) => issuer });
  await fc.assert(
    fc.asyncProperty(distinct, aRule, aToken, async (made, other, one) => {
      fc.pre(other.issuer !== one.iss);
      const before = await verdict(made.map(ruleOf), requestWith(one, undefined));
      fc.pre(before !== "anonymous");
      expect(await verdict([...made, other].map(ruleOf), requestWith(one, undefined))).toBe(before);
    }),
    { numRuns: 200 },
  );
});

test("another rule never turns an accepted request into a refused one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aRule, { maxLength: 3 }), aRule, aToken, async (made, other, one) => {
      fc.pre((await ask(made.map(ruleOf), requestWith(one, undefined))).kind === "authenticated");
      expect((await ask([...made, other].map(ruleOf), requestWith(one, undefined))).kind).toBe("authenticated");
    }),
    { numRuns: 200 },
  );
});

test("the order in which rules of different issuers are given makes no difference", async () => {
  const distinct = fc.uniqueArray(aRule, { maxLength: 3, selector: ({ issuer }) => issuer });
  await fc.assert(
    fc.asyncProperty(distinct, aRequest, async (made, tokens) => {
      const request = requestWith(...tokens);
      expect(await verdict(made.toReversed().map(ruleOf), request)).toBe(await verdict(made.map(ruleOf), request));
    }),
    { numRuns: 200 },
  );
});

test("rules that have seen other requests say the same as new ones, whatever options they have", async () => {
  const options = fc.record({ publishAllPayloads: fc.boolean(), maxRememberedTokens: fc.constantFrom(0, 2, 4, 100) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(aRule, { maxLength: 4 }),
      fc.array(aRequest, { maxLength: 8 }),
      options,
      async (...made) => {
        const [rules, requests, chosen] = made;
        const worn = compileJwtRules(rules.map(ruleOf), chosen);
        for (const tokens of requests) {
          const request = fullRequest(requestWith(...tokens));
          const fresh = compileJwtRules(worn.rules, { ...chosen, maxRememberedTokens: 0 });
          const [first, again, third, expected] = [worn, worn, worn, fresh].map((one) =>
            authenticateRequestNow(one, request, { keysOf: noKeys, clock }, new AbortController().signal),
          );
          expect(first).toEqual(expected);
          expect(again).toEqual(expected);
          expect(third).toEqual(expected);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("with all payloads published, accepted only when every token is verified, and published is what was signed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aRule, { maxLength: 4 }), aRequest, async (made, tokens) => {
      const options = { publishAllPayloads: true };
      const result = await ask(made.map(ruleOf), { ...requestWith(...tokens), options });
      if (result.kind !== "authenticated") return;
      // A rule that looks for tokens in the query looks nowhere else.
      const [bearer, query] = tokens;
      const seen = [
        ...(bearer !== undefined && made.some(({ param }) => !param) ? [bearer] : []),
        ...(query !== undefined && made.some(({ param }) => param) ? [query] : []),
      ];
      for (const one of seen) expect(!one.spoiled && one.alg === algOf[one.signer]).toBe(true);
      expect([...(result.payloads?.keys() ?? [])].sort()).toEqual([...new Set(seen.map(({ iss }) => iss))].sort());
    }),
    { numRuns: 300 },
  );
});

test("no text is accepted or makes anything throw", async () => {
  const request = fc.record({
    path: fc.string({ unit: "binary" }),
    headers: fc.array(fc.tuple(fc.constantFrom("authorization", "cookie", "x"), fc.string({ unit: "binary" }))),
  });
  const rules = [
    rule({
      fromHeaders: [
        { name: "x", prefix: "" },
        { name: "authorization", prefix: "B" },
      ],
      fromParams: ["", "a"],
      fromCookies: ["", "a"],
    }),
  ];
  await fc.assert(
    fc.asyncProperty(request, async (made) => {
      expect((await ask(rules, made)).kind).not.toBe("authenticated");
      expect((await ask(rules, { ...made, profile: "strict" })).kind).not.toBe("authenticated");
    }),
    { numRuns: 500 },
  );
});
