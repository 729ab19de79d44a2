import { type CertificateChain, certificatePem, parseTrustBundle, verifyChain } from "@signet/x509";
import { type TestCa, testIntermediate, testRevocationList, testRoot } from "@signet/x509/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { filesOf, followTestCa, now, templateOf } from "../testing/test-ca-files.ts";
import type { CaFiles } from "./ca-material.ts";

const signal = new AbortController().signal;
const rights = { signsRevocationLists: true };
const template = await templateOf();

const [rootA, rootB] = [await testRoot(rights), await testRoot({ ...rights, trustDomain: "b.example" })];
const under = async (root: TestCa, organization: string): Promise<TestCa> =>
  testIntermediate(root, { ...rights, organization });
const [a1, a2, b1] = [await under(rootA, "a1"), await under(rootA, "a2"), await under(rootB, "b1")];
const deep = await testIntermediate(a1, { ...rights, organization: "deep" });

/** Sets that are good on their own; some follow on others, some do not. */
const goodSets: readonly CaFiles[] = [
  filesOf(a1, [rootA]),
  filesOf(a2, [rootA]),
  filesOf(deep, [rootA]),
  filesOf(a1, [rootA, rootB]),
  filesOf(b1, [rootA, rootB]),
  filesOf(b1, [rootB]),
  filesOf(a1, [rootA], { crlPem: testRevocationList(a1) + testRevocationList(rootA) }),
];

const set = fc.constantFrom(...goodSets);
const file = fc.constantFrom("certificatePem", "privateKeyPem", "chainPem", "rootPem", "crlPem" as const);

/** Each file of one good set or another, as when somebody copies them one by one. */
const mixedSet: fc.Arbitrary<CaFiles> = fc
  .record({ certificatePem: set, privateKeyPem: set, chainPem: set, rootPem: set, crlPem: set })
  .map((from) => ({
    certificatePem: from.certificatePem.certificatePem,
    privateKeyPem: from.privateKeyPem.privateKeyPem,
    chainPem: from.chainPem.chainPem,
    rootPem: from.rootPem.rootPem,
    crlPem: from.crlPem.crlPem ?? "",
  }));

/** A good set with a file emptied, cut short, or with a character changed. */
const brokenSet: fc.Arbitrary<CaFiles> = fc
  .record({ files: set, name: file, at: fc.nat(5000), how: fc.constantFrom("empty", "cut", "change") })
  .map(({ files, name, at, how }) => {
    const text = files[name] ?? "";
    const offset = text.length === 0 ? 0 : at % text.length;
    const changed = `${text.slice(0, offset)}${text[offset] === "A" ? "B" : "A"}${text.slice(offset + 1)}`;
    return { ...files, [name]: how === "empty" ? "" : how === "cut" ? text.slice(0, offset) : changed };
  });

type Observed = { readonly chain: CertificateChain; readonly rootPem: string; readonly crlPem: string };

describe("property: after any sequence of offers", () => {
  it("the CA signs with the last set that it took, and with all of it", async () => {
    const offers = fc.array(fc.oneof(set, mixedSet, brokenSet), { minLength: 1, maxLength: 12 });
    let taken = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(set, offers, async (initial, sequence) => {
        const { signingCa, lines } = followTestCa(initial);
        let before = await observe(signingCa);
        for (const files of sequence) {
          const outcome = signingCa.offer(files);
          const after = await observe(signingCa);
          expectWhole(after);
          if (outcome.kind === "adopted") {
            expectIsOf(after, files, before);
            taken += 1;
          } else {
            expect(textOf(after)).toEqual(textOf(before));
            refused += outcome.kind === "refused" ? 1 : 0;
          }
          const saysRefused = signingCa.health.current()?.reason?.startsWith("new CA files were refused") ?? false;
          expect(saysRefused).toBe(outcome.kind === "refused");
          before = after;
        }
        const adoptions = lines.filter((line) => line.startsWith("adopted")).length;
        expect(adoptions).toBeLessThanOrEqual(sequence.length);
      }),
      { numRuns: 150 },
    );
    expect(taken).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
  }, 60_000);
});

async function observe(signingCa: ReturnType<typeof followTestCa>["signingCa"]): Promise<Observed> {
  const chain = await signingCa.sign({ template }, signal);
  const rootPem = signingCa.trustBundle.current()?.pem ?? "";
  return { chain, rootPem, crlPem: signingCa.revocationLists.current() ?? "" };
}

/** What was signed leads to the roots that are handed out, over what is handed out with it. */
function expectWhole({ chain, rootPem }: Observed): void {
  const roots = parseTrustBundle(rootPem).authorities;
  const result = verifyChain({ chain, roots, at: now });
  expect(result.kind).toBe("verified");
}

function expectIsOf(observed: Observed, files: CaFiles, before: Observed): void {
  const [leaf, ...above] = observed.chain;
  const signer = [a1, a2, b1, deep].find(({ pem }) => files.certificatePem.startsWith(pem.trimEnd()));
  expect(Buffer.from(leaf.issuer)).toEqual(Buffer.from(signer?.certificate.subject ?? []));
  expect(above.map(certificatePem).join("")).toBe(files.chainPem);
  // A text that says the same as the one before is not handed out anew.
  expect([files.rootPem, before.rootPem]).toContain(observed.rootPem);
  expect([files.crlPem ?? "", before.crlPem]).toContain(observed.crlPem);
}

function textOf({ chain, rootPem, crlPem }: Observed): unknown {
  const [leaf, ...above] = chain;
  return { issuer: Buffer.from(leaf.issuer), above: above.map(certificatePem), rootPem, crlPem };
}
