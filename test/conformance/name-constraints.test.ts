import { type CertificateChain, certificatePem, templateNameProblem, verifyChain } from "@signet/x509";
import { type TestCa, testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findGo, type GoX509 } from "./go.ts";
import { type NameConstraintCase, nameConstraintCases } from "./name-constraint-cases.ts";
import { findOpenSsl, type OpenSsl } from "./openssl.ts";

const openssl: OpenSsl = findOpenSsl();
const go: GoX509 = findGo();
const skipped = (missing: string | undefined): string => (missing === undefined ? "" : ` (skipped: ${missing})`);
const at = new Date();

type Made = { readonly chain: CertificateChain; readonly root: TestCa };
const made = new Map<NameConstraintCase, Made>();

afterAll(() => openssl.close());

beforeAll(async () => {
  const root = await testRoot();
  for (const each of nameConstraintCases) {
    const ca = await testIntermediate(root, { nameConstraints: each.constraints, organization: "constrained" });
    made.set(each, { chain: (await testLeaf(ca, { subjectAltNames: each.names })).chain, root });
  }
});

function madeFor(each: NameConstraintCase): Made {
  const found = made.get(each);
  if (found === undefined) throw new Error("every case was made");
  return found;
}

const titled = nameConstraintCases.map((each) => {
  const names = each.names.map((name) => (name.kind === "other" ? "" : name.value)).join(", ");
  return { each, title: `${JSON.stringify(each.constraints)}: ${names}` };
});

describe("name constraints on names of every form", () => {
  it.each(titled)("here: $title", ({ each }) => {
    const { chain, root } = madeFor(each);
    const result = verifyChain({ chain, roots: [root.certificate], at });
    if (each.ours) expect(result.kind).toBe("verified");
    else expect(result).toMatchObject({ kind: "rejected", code: "name-constrained" });
    const template = { subjectAltNames: each.names };
    expect(templateNameProblem(template, chain.slice(1)) === undefined).toBe(each.ours);
  });

  it.skipIf(openssl.missing !== undefined).each(titled)(`openssl${skipped(openssl.missing)}: $title`, ({ each }) => {
    const { chain, root } = madeFor(each);
    const [leaf, ...above] = chain.map(certificatePem);
    const files = [
      ...["-CAfile", openssl.file("root.pem", root.pem)],
      ...["-untrusted", openssl.file("above.pem", above.join("")), openssl.file("leaf.pem", leaf ?? "")],
    ];
    const expected = each.openssl ?? each.ours;
    if (expected) expect(openssl.run(["verify", ...files])).toMatch(/OK/);
    else
      expect(() => openssl.run(["verify", ...files])).toThrow(
        /permitted subtree violation|excluded subtree violation|name constraint|invalid name syntax/,
      );
  });

  it.skipIf(go.missing !== undefined)(`go${skipped(go.missing)}: all of them`, () => {
    const answers = go.verify(
      nameConstraintCases.map((each) => {
        const { chain, root } = madeFor(each);
        const [leaf = "", ...above] = chain.map(certificatePem);
        return { leaf, intermediates: above.join(""), roots: root.pem };
      }),
    );
    const verdicts = titled.map(({ title }, index) => [title, answers[index]]);
    // An intermediate whose constraints Go cannot read is none: the leaf's issuer is then unknown.
    const refusal = expect.stringMatching(/permitted|excluded|constraint|unknown authority/);
    const expected = titled.map(({ each, title }) => {
      const verdict = each.go ?? each.ours;
      return [title, verdict === "varies" ? expect.any(String) : verdict ? "" : refusal];
    });
    expect(verdicts).toEqual(expected);
  });

  it("says why wherever somebody differs", () => {
    for (const { openssl: theirs, go: goes, because } of nameConstraintCases) {
      expect(because === undefined).toBe(theirs === undefined && goes === undefined);
    }
  });
});
