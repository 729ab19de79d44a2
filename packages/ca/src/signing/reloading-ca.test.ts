import { certificatePem, encodePem, privateKeyPem, splitPem } from "@signet/x509";
import { type TestCa, testIntermediate, testKey, testRoot } from "@signet/x509/testing";
import * as vitest from "vitest";
import { describe, expect, it } from "vitest";
import { CaError } from "../errors.ts";
import { adopted, filesOf, followTestCa, now, templateOf } from "../testing/test-ca-files.ts";
import { signingCaSuite } from "../testing.ts";
import type { CaFiles } from "./ca-material.ts";

const signal = new AbortController().signal;
const hour = 3_600_000;

{
  const root = await testRoot();
  const first = filesOf(await testIntermediate(root), [root]);
  const second = filesOf(await testIntermediate(root), [root]);
  const { signingCa, clock } = followTestCa(first);
  signingCaSuite(vitest, { name: "reloading CA", create: async () => signingCa, clock });
  const create = async () => {
    const followed = followTestCa(first);
    followed.signingCa.offer(second);
    return followed.signingCa;
  };
  signingCaSuite(vitest, { name: "reloading CA after a change", create, clock });
}

async function issuerOf({ signingCa }: ReturnType<typeof followTestCa>): Promise<string> {
  const [leaf] = await signingCa.sign({ template: await templateOf() }, signal);
  return leaf.authorityKeyIdentifier?.toHex() ?? "";
}

const keyIdentifierOf = (ca: TestCa): string => ca.certificate.subjectKeyIdentifier?.toHex() ?? "none";

describe("what counts as the same set", () => {
  const crlf = (pem: string): string => pem.replaceAll("\n", "\r\n");
  /** The same blocks in lines of another length. */
  const rewrapped = (pem: string): string =>
    splitPem(pem)
      .map(({ label, der }) => {
        const body = der.toBase64().replace(/(.{40})/g, "$1\n");
        return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
      })
      .join("");

  it.each<{ name: string; change: (files: CaFiles, ca: TestCa) => Partial<CaFiles> }>([
    { name: "the same text", change: () => ({}) },
    { name: "comments", change: ({ rootPem }) => ({ rootPem: `# a comment\n${rootPem}\n# another\n` }) },
    { name: "blank lines at the end", change: ({ chainPem }) => ({ chainPem: `${chainPem}\n\n` }) },
    { name: "other line ends", change: ({ certificatePem: pem }) => ({ certificatePem: crlf(pem) }) },
    { name: "other line lengths", change: ({ rootPem }) => ({ rootPem: rewrapped(rootPem) }) },
    { name: "another order of roots", change: ({ rootPem }) => ({ rootPem: reversed(rootPem) }) },
    { name: "a root that comes twice", change: ({ rootPem }) => ({ rootPem: rootPem + rootPem }) },
    { name: "another form of the key", change: (_, ca) => ({ privateKeyPem: privateKeyPem(ca.key, "traditional") }) },
    {
      name: "more behind the signing certificate",
      change: (files) => ({ certificatePem: files.certificatePem + files.rootPem }),
    },
    { name: "an empty file of revocation lists", change: () => ({ crlPem: "\n" }) },
  ])("$name changes nothing, and the old text stays", async ({ change }) => {
    const [root, other] = [await testRoot(), await testRoot({ trustDomain: "other.example" })];
    const ca = await testIntermediate(root);
    const files = filesOf(ca, [root, other]);
    const { signingCa, lines } = followTestCa(files);
    const bundle = signingCa.trustBundle.current();
    expect(signingCa.offer({ ...files, ...change(files, ca) })).toEqual({ kind: "unchanged" });
    expect(signingCa.trustBundle.current()).toBe(bundle);
    expect(lines).toEqual([]);
  });

  it("keeps the text of the roots when only the signing certificate is another", async () => {
    const root = await testRoot();
    const files = filesOf(await testIntermediate(root), [root]);
    const { signingCa } = followTestCa(files);
    const bundle = signingCa.trustBundle.current();
    const renewed = filesOf(await testIntermediate(root), [root]);
    const outcome = signingCa.offer({ ...renewed, rootPem: `# renewed\n${renewed.rootPem}` });
    expect(outcome).toEqual({ kind: "adopted", rootsChanged: false });
    expect(signingCa.trustBundle.current()).toBe(bundle);
  });

  it("sends the chain in the order of the file, and takes another order for another chain", async () => {
    const root = await testRoot();
    const ca = await testIntermediate(await testIntermediate(root, { organization: "upper" }));
    const files = filesOf(ca, [root]);
    const { signingCa } = followTestCa(files);
    expect(signingCa.offer({ ...files, chainPem: reversed(files.chainPem) }).kind).toBe("adopted");
    expect(signingCa.chain().map(certificatePem)).toEqual(ca.chain.map(certificatePem).toReversed());
  });
});

describe("a new set", () => {
  it("signs at once, and limits lifetimes at once", async () => {
    const root = await testRoot();
    const followed = followTestCa(filesOf(await testIntermediate(root), [root]));
    const shorter = await testIntermediate(root, { notAfter: new Date(now.getTime() + 2 * hour) });
    expect(followed.signingCa.offer(filesOf(shorter, [root]))).toEqual({ kind: "adopted", rootsChanged: false });
    expect(await issuerOf(followed)).toBe(keyIdentifierOf(shorter));
    expect(followed.signingCa.revocationLists.current()).toBeUndefined();
    expect(followed.signingCa.notAfterLimit()).toEqual(shorter.certificate.notAfter);
    expect(followed.lines).toEqual([adopted(shorter)]);
  });

  it("may be of another kind of key", async () => {
    const root = await testRoot();
    const { signingCa } = followTestCa(filesOf(await testIntermediate(root), [root]));
    const rsa = await testIntermediate(root, { type: "RSA-3072" });
    expect(signingCa.offer(filesOf(rsa, [root])).kind).toBe("adopted");
    expect(signingCa.signingKeyInfo()).toEqual({ kind: "rsa", bits: 3072 });
  });

  it("leaves a call in flight with the set that it began with", async () => {
    const root = await testRoot();
    // Slow enough to be signed on the thread pool.
    const first = await testIntermediate(root, { type: "RSA-3072" });
    const { signingCa } = followTestCa(filesOf(first, [root]));
    const inFlight = signingCa.sign({ template: await templateOf() }, signal);
    const second = await testIntermediate(root);
    expect(signingCa.offer(filesOf(second, [root])).kind).toBe("adopted");
    const [leaf, ...chain] = await inFlight;
    expect(leaf.authorityKeyIdentifier?.toHex()).toBe(keyIdentifierOf(first));
    expect(chain.map(certificatePem)).toEqual([first.pem]);
  });

  it("publishes the roots when they change, and only then", async () => {
    const [root, next] = [await testRoot(), await testRoot()];
    const ca = await testIntermediate(root);
    const { signingCa } = followTestCa(filesOf(ca, [root]));
    const seen: number[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const { authorities } of signingCa.trustBundle.changes(stop.signal)) seen.push(authorities.length);
    })();
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await turn();
    signingCa.offer(filesOf(await testIntermediate(root), [root]));
    await turn();
    signingCa.offer(filesOf(ca, [root, next]));
    await turn();
    stop.abort();
    await reading;
    expect(seen).toEqual([1, 2]);
  });
});

describe("a bad set", () => {
  it("is refused whole: the old one signs, and health and events say so once", async () => {
    const root = await testRoot();
    const first = await testIntermediate(root);
    const files = filesOf(first, [root]);
    const followed = followTestCa(files);
    const { signingCa, lines } = followed;
    const bad = { ...filesOf(await testIntermediate(root), [root]), privateKeyPem: files.privateKeyPem };
    const outcome = signingCa.offer(bad);
    expect(outcome).toMatchObject({ kind: "refused", error: { code: "ca-material-invalid" } });
    expect(signingCa.offer({ ...bad })).toMatchObject({ kind: "refused" });
    expect(await issuerOf(followed)).toBe(keyIdentifierOf(first));
    expect(signingCa.chain().map(certificatePem)).toEqual([first.pem]);
    expect(lines).toEqual(["refused ca-material-invalid"]);
    expect(signingCa.health.current()).toEqual({ state: "degraded", reason: "new CA files were refused" });
    signingCa.offer({ ...bad, chainPem: "no chain" });
    expect(lines).toHaveLength(2);
  });

  it.each([
    ["a good one", async (root: TestCa) => filesOf(await testIntermediate(root), [root])],
    ["the old one put back", async (_: TestCa, files: CaFiles) => files],
  ])("is forgotten after %s", async (_, next) => {
    const root = await testRoot();
    const files = filesOf(await testIntermediate(root), [root]);
    const { signingCa, lines } = followTestCa(files);
    signingCa.offer({ ...files, rootPem: "" });
    expect(signingCa.health.current()?.state).toBe("degraded");
    signingCa.offer(await next(root, files));
    expect(signingCa.health.current()).toEqual({ state: "good" });
    signingCa.offer({ ...files, rootPem: "" });
    expect(lines.filter((line) => line.startsWith("refused"))).toHaveLength(2);
  });

  it("may be no set at all, says the owner of the files", async () => {
    const root = await testRoot();
    const { signingCa, lines } = followTestCa(filesOf(await testIntermediate(root), [root]));
    const error = new CaError("ca-material-invalid", "the Secret is gone");
    signingCa.refuse(error);
    signingCa.refuse(new CaError("ca-material-invalid", "the Secret is gone"));
    expect(lines).toEqual(["refused ca-material-invalid"]);
    expect(signingCa.health.current()?.state).toBe("degraded");
  });

  it("is an error at the start", async () => {
    const root = await testRoot();
    const files = filesOf(await testIntermediate(root), [root]);
    const privateKey = privateKeyPem(await testKey(), "pkcs8");
    expect(() => followTestCa({ ...files, privateKeyPem: privateKey })).toThrow(CaError);
  });
});

function reversed(pem: string): string {
  return splitPem(pem)
    .toReversed()
    .map(({ label, der }) => encodePem(label, der))
    .join("");
}
