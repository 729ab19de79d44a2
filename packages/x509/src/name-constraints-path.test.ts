import { describe, expect, it } from "vitest";
import { caConstraints, caKeyUsage } from "./ca-extensions.ts";
import { type DerValue, derNode, octetString, sequence } from "./der/der-writer.ts";
import { contextConstructed, contextPrimitive, tag } from "./der/tag.ts";
import { commonNameOnly, organizationOnly } from "./distinguished-name.ts";
import { extension, extensionId } from "./extension.ts";
import { templateNameProblem } from "./template-name-problem.ts";
import { at, leafUsage, type TestAuthority, testAuthority, verifyAuthorities } from "./test-authority.ts";
import { testNameConstraints } from "./test-ca-extensions.ts";
import {
  constrained,
  directory,
  excludes,
  frontend,
  leafNamed,
  type Names,
  permits,
  root,
  uri,
} from "./test-name-constraints.ts";
import { testIntermediate, testLeaf, testRoot } from "./testing.ts";
import { verifyChain } from "./verify-chain.ts";

describe("on a path", () => {
  it("holds everything below to the constraints of every CA above, the root among them", async () => {
    const upper = await testRoot({ nameConstraints: permits(uri(".example")) });
    const lower = await testIntermediate(upper, { nameConstraints: excludes(uri("victim.example")) });
    const verify = async (spiffeId: string): Promise<string> => {
      const { chain } = await testLeaf(lower, { spiffeId });
      const result = verifyChain({ chain, roots: upper.trustBundle.authorities, at });
      return result.kind === "verified" ? result.kind : result.code;
    };
    expect(await verify("spiffe://a.example/b")).toBe("verified");
    expect(await verify("spiffe://victim.example/b")).toBe("name-constrained");
    expect(await verify("spiffe://cluster.local/b")).toBe("name-constrained");
  });

  it("holds an intermediate to them as well, unless it is self-issued", async () => {
    const top = await constrained(permits(directory(organizationOnly("allowed"))));
    const allowed = await testAuthority({ name: "allowed", issuer: top });
    const other = await testAuthority({ name: "other", issuer: top });
    const selfIssued = await testAuthority({ name: "constrained", issuer: top });
    const verify = async (issuer: TestAuthority): Promise<unknown> =>
      verifyAuthorities([await leafNamed(issuer, [["uri", frontend]]), issuer, top], [root]);
    expect(await verify(allowed)).toMatchObject({ kind: "verified" });
    expect(await verify(other)).toMatchObject({
      code: "name-constrained",
      detail: expect.stringMatching(/ does not permit the name O=other$/),
    });
    expect(await verify(selfIssued)).toMatchObject({ kind: "verified" });
  });

  it("takes another path whose constraints allow the name", async () => {
    const key = root.key;
    const narrow = await testAuthority({
      name: "root",
      key,
      extensions: [caKeyUsage, caConstraints(undefined), testNameConstraints(permits(uri("td2")))],
    });
    const leaf = await leafNamed(root, [["uri", frontend]]);
    expect(verifyAuthorities([leaf], [narrow])).toMatchObject({ code: "name-constrained" });
    expect(verifyAuthorities([leaf], [narrow, root]).kind).toBe("verified");
  });

  it("gives up on more comparisons than an honest certificate needs", async () => {
    const many = Array.from({ length: 400 }, (_, index) => uri(`h${index}.example`));
    const ca = await constrained({ permitted: many });
    const names: Names = Array.from({ length: 300 }, (_, index) => ["uri", `spiffe://h${index}.example`]);
    expect(verifyAuthorities([await leafNamed(ca, names), ca], [root])).toMatchObject({ code: "chain-too-complex" });
    expect(verifyAuthorities([await leafNamed(ca, names.slice(0, 200)), ca], [root]).kind).toBe("verified");
  });

  it("refuses a directory name that is none instead of failing", async () => {
    const ca = await constrained(permits(directory(organizationOnly("a"))));
    const odd = extension(
      extensionId.subjectAltName,
      { critical: true },
      sequence(derNode(contextConstructed(4), [Uint8Array.of(tag.null, 0)])),
    );
    const leaf = await testAuthority({ name: "a", issuer: ca, extensions: [leafUsage, odd] });
    expect(verifyAuthorities([leaf, ca], [root])).toMatchObject({ code: "name-constrained" });
  });
});

describe("the extension", () => {
  it.each<[string, DerValue]>([
    ["no list", sequence()],
    ["an empty list", sequence(derNode(contextConstructed(0), []))],
    ["lists in the wrong order", sequence(listOf(1), listOf(0))],
    ["a base that is no name", sequence(derNode(contextConstructed(0), [sequence(Uint8Array.of(tag.null, 0))]))],
    ["something that is no constraint", octetString(Uint8Array.of())],
  ])("is refused with %s", async (_, value) => {
    const extensions = [caKeyUsage, extension(extensionId.nameConstraints, { critical: true }, value)];
    await expect(testAuthority({ name: "odd", extensions })).rejects.toMatchObject({ code: "certificate-malformed" });
  });
});

describe("templateNameProblem", () => {
  it("says why a name must not be signed, before it is", async () => {
    const ca = await constrained(permits(uri("cluster.local")));
    const issuers = [ca.certificate, root.certificate];
    const problemOf = (value: string) => templateNameProblem({ subjectAltNames: [{ kind: "uri", value }] }, issuers);
    expect(problemOf(frontend)).toBeUndefined();
    expect(problemOf("spiffe://victim/a")).toBe('a certificate above the leaf does not permit URI "spiffe://victim/a"');
  });

  it("counts the common name as a directory name", async () => {
    const ca = await constrained(excludes(directory(commonNameOnly("admin"))));
    const template = { subjectAltNames: [{ kind: "uri", value: frontend } as const], commonName: "admin" };
    expect(templateNameProblem(template, [ca.certificate])).toMatch(/excludes the name CN=admin$/);
    expect(templateNameProblem({ ...template, commonName: "other" }, [ca.certificate])).toBeUndefined();
  });
});

function listOf(number: number): DerValue {
  return derNode(contextConstructed(number), [sequence(derNode(contextPrimitive(2), [Buffer.from("a")]))]);
}
