import fc from "fast-check";
import { expect, it } from "vitest";
import { parseCertificate } from "./certificate.ts";
import { DerReader } from "./der/der-reader.ts";
import { organizationOnly } from "./distinguished-name.ts";
import { X509Error } from "./errors.ts";
import { readNameConstraints } from "./name-constraints.ts";
import { templateNameProblem } from "./template-name-problem.ts";
import { verifyAuthorities } from "./test-authority.ts";
import type { TestSubtree } from "./test-ca-extensions.ts";
import { constrained, directory, dns, email, ip, leafNamed, root, uri } from "./test-name-constraints.ts";

/** Few labels, so that names and constraints meet often. */
const domain = fc
  .array(fc.constantFrom("a", "b", "C"), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join("."));
const base = fc.tuple(fc.boolean(), domain).map(([dot, name]) => (dot ? `.${name}` : name));
const bases = fc.array(base, { maxLength: 3 });

/** RFC 5280 section 4.2.1.10 once more, on texts. */
function isInside(form: "dns" | "uri", host: string, constraint: string): boolean {
  const [name, wanted] = [host.toLowerCase(), constraint.toLowerCase()];
  if (wanted.startsWith(".")) return name.endsWith(wanted);
  return name === wanted || (form === "dns" && name.endsWith(`.${wanted}`));
}

it.each(["dns", "uri"] as const)("property: a %s name passes just when RFC 5280 says so", async (form) => {
  const subtree = form === "dns" ? dns : uri;
  await fc.assert(
    fc.asyncProperty(domain, bases, bases, async (host, permitted, excluded) => {
      fc.pre(permitted.length + excluded.length > 0);
      const ca = await constrained({
        ...(permitted.length > 0 && { permitted: permitted.map(subtree) }),
        ...(excluded.length > 0 && { excluded: excluded.map(subtree) }),
      });
      const value = form === "dns" ? host : `spiffe://${host}/ns/a/sa/b`;
      const allowed =
        (permitted.length === 0 || permitted.some((each) => isInside(form, host, each))) &&
        !excluded.some((each) => isInside(form, host, each));
      const problem = templateNameProblem({ subjectAltNames: [{ kind: form, value }] }, [ca.certificate]);
      expect(problem === undefined).toBe(allowed);
    }),
    { numRuns: 200 },
  );
});

it("property: no URI passes but of a host that is permitted and not excluded", async () => {
  const ca = await constrained({
    permitted: [uri(".example")],
    excluded: [uri("victim.example"), uri(".victim.example")],
  });
  const anything = fc.oneof(
    fc.webUrl(),
    fc.string({ unit: "grapheme-ascii", maxLength: 40 }).map((text) => `spiffe://${text}`),
    fc.constantFrom("victim.example", "a.victim.example", "VICTIM.example").map((host) => `spiffe://${host}/a`),
  );
  fc.assert(
    fc.property(anything, (value) => {
      const problem = templateNameProblem({ subjectAltNames: [{ kind: "uri", value }] }, [ca.certificate]);
      const host = /^[a-z][a-z0-9+.-]*:\/\/([a-z0-9_.-]+)(:\d*)?([/?#]|$)/i.exec(value)?.[1]?.toLowerCase() ?? "";
      if (problem === undefined) expect(host).toMatch(/^(?!(.*\.)?victim\.example$)([a-z0-9_-]+\.)+example$/);
    }),
    { numRuns: 1000 },
  );
});

it("property: with any one bit flipped, a CA with name constraints vouches for nobody, and nothing else is thrown", async () => {
  const subtrees: TestSubtree[] = [
    uri("cluster.local"),
    dns(".a"),
    ip("0a000000ff000000"),
    email("a"),
    directory(organizationOnly("a")),
  ];
  const ca = await constrained({ permitted: subtrees, excluded: [dns("b"), ip("00".repeat(32))] });
  const leaf = await leafNamed(ca, [["uri", "spiffe://cluster.local/a"]]);
  expect(verifyAuthorities([leaf, ca], [root]).kind).toBe("verified");
  const { der } = ca.certificate;
  for (let bit = 0; bit < der.length * 8; bit++) {
    const flipped = der.slice();
    flipped[bit >>> 3] = (der[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    const certificate = orX509Error(() => parseCertificate(flipped));
    if (certificate === undefined) continue;
    expect(verifyAuthorities([leaf, { ...ca, certificate }], [root]).kind).toBe("rejected");
  }
});

it("property: any bytes are name constraints or an X509Error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const wrapped = Uint8Array.of(0x30, bytes.length + 2, 0xa0, bytes.length, ...bytes);
      for (const der of [bytes, wrapped]) {
        orX509Error(() => readNameConstraints(new DerReader(der, "certificate-malformed"), true));
      }
    }),
    { numRuns: 2000 },
  );
});

function orX509Error<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(X509Error);
    return undefined;
  }
}
