import { type TestCa, testIntermediate, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { filesOf, followTestCa, now } from "../testing/test-ca-files.ts";
import type { CaFiles } from "./ca-material.ts";

const replaced = expect.objectContaining({
  kind: "refused",
  error: expect.objectContaining({ code: "ca-roots-replaced" }),
});
const hour = 3_600_000;

/** Two roots with an intermediate each, and one more root. */
async function cas() {
  const [oldRoot, newRoot, thirdRoot] = [await testRoot(), await testRoot(), await testRoot()];
  const [old, next] = [await testIntermediate(oldRoot), await testIntermediate(newRoot)];
  return { oldRoot, newRoot, thirdRoot, old, next };
}
type Cas = Awaited<ReturnType<typeof cas>>;

describe("roots", () => {
  it("change in three steps: add the new one, sign under it, remove the old one", async () => {
    const { oldRoot, newRoot, old, next } = await cas();
    const { signingCa, lines } = followTestCa(filesOf(old, [oldRoot]));
    expect(signingCa.offer(filesOf(old, [oldRoot, newRoot]))).toEqual({ kind: "adopted", rootsChanged: true });
    expect(signingCa.offer(filesOf(next, [oldRoot, newRoot]))).toEqual({ kind: "adopted", rootsChanged: false });
    expect(signingCa.offer(filesOf(next, [newRoot]))).toEqual({ kind: "adopted", rootsChanged: true });
    expect(signingCa.trustBundle.current()?.pem).toBe(newRoot.pem);
    expect(signingCa.health.current()).toEqual({ state: "good" });
    expect(lines).toHaveLength(3);
  });

  it("may go back at every step", async () => {
    const { oldRoot, newRoot, old, next } = await cas();
    const steps = [
      filesOf(old, [oldRoot]),
      filesOf(old, [oldRoot, newRoot]),
      filesOf(next, [oldRoot, newRoot]),
      filesOf(next, [newRoot]),
    ];
    const { signingCa } = followTestCa(filesOf(old, [oldRoot]));
    for (const files of [...steps.slice(1), ...steps.toReversed().slice(1)]) {
      expect(signingCa.offer(files).kind).toBe("adopted");
    }
  });

  it.each<{ name: string; before: (cas: Cas) => CaFiles; after: (cas: Cas) => CaFiles }>([
    {
      name: "all replaced at once",
      before: ({ old, oldRoot }) => filesOf(old, [oldRoot]),
      after: ({ next, newRoot }) => filesOf(next, [newRoot]),
    },
    {
      name: "one replaced by another, though the one that counts stays",
      before: ({ old, oldRoot, newRoot }) => filesOf(old, [oldRoot, newRoot]),
      after: ({ old, oldRoot, thirdRoot }) => filesOf(old, [oldRoot, thirdRoot]),
    },
    {
      name: "one added that signs at once: peers do not know it",
      before: ({ old, oldRoot }) => filesOf(old, [oldRoot]),
      after: ({ next, oldRoot, newRoot }) => filesOf(next, [oldRoot, newRoot]),
    },
    {
      name: "the one removed that signed until now: its leaves are in use",
      before: ({ old, oldRoot, newRoot }) => filesOf(old, [oldRoot, newRoot]),
      after: ({ next, newRoot }) => filesOf(next, [newRoot]),
    },
  ])("are refused: $name", async ({ before, after }) => {
    const all = await cas();
    const { signingCa, lines } = followTestCa(before(all));
    const bundle = signingCa.trustBundle.current();
    expect(signingCa.offer(after(all))).toEqual(replaced);
    expect(signingCa.trustBundle.current()).toBe(bundle);
    const reason = "new CA files were refused: they replace roots";
    expect(signingCa.health.current()).toEqual({ state: "degraded", reason });
    expect(lines).toEqual(["refused ca-roots-replaced"]);
  });

  it("renewed with the same name and key are the same roots, and the bundle is published", async () => {
    const root = await testRoot();
    const renewed = await testRoot({ key: root.key, notAfter: new Date("2044-01-01T00:00:00Z") });
    const { signingCa } = followTestCa(filesOf(root, [root]));
    expect(signingCa.offer(filesOf(renewed, [renewed]))).toEqual({ kind: "adopted", rootsChanged: true });
    expect(signingCa.trustBundle.current()?.pem).toBe(renewed.pem);
  });

  it("of the same name and another key are other roots", async () => {
    const [root, other] = [await testRoot(), await testRoot()];
    const { signingCa } = followTestCa(filesOf(root, [root]));
    expect(signingCa.offer(filesOf(other, [other]))).toEqual(replaced);
  });

  it("of the same key and another name are other roots", async () => {
    const root = await testRoot();
    const other = await testRoot({ key: root.key, trustDomain: "other.example" });
    const { signingCa } = followTestCa(filesOf(root, [root]));
    expect(signingCa.offer(filesOf(root, [other]))).toMatchObject({ error: { code: "ca-material-invalid" } });
    expect(signingCa.offer(filesOf(other, [other]))).toEqual(replaced);
    const unused = await testRoot({ trustDomain: "unused.example" });
    const renamed = await testRoot({ key: unused.key, trustDomain: "renamed.example" });
    const followed = followTestCa(filesOf(root, [root, unused]));
    expect(followed.signingCa.offer(filesOf(root, [root, renamed]))).toEqual(replaced);
  });

  it("may be signed under at once where nothing that was signed before is valid any more", async () => {
    const { oldRoot, newRoot, next } = await cas();
    const expiring = await testIntermediate(oldRoot, { notAfter: new Date(now.getTime() + hour) });
    const { signingCa, clock } = followTestCa(filesOf(expiring, [oldRoot]));
    expect(signingCa.offer(filesOf(next, [oldRoot, newRoot]))).toEqual(replaced);
    await clock.advance(hour + 1000);
    expect(signingCa.offer(filesOf(next, [oldRoot, newRoot]))).toEqual({ kind: "adopted", rootsChanged: true });
  });

  it("of the intermediates above do not matter, as long as leaves lead to a root that peers have", async () => {
    const root = await testRoot();
    const upper = (organization: string): Promise<TestCa> => testIntermediate(root, { organization });
    const { signingCa } = followTestCa(filesOf(await testIntermediate(await upper("one")), [root]));
    const next = filesOf(await testIntermediate(await upper("two")), [root]);
    expect(signingCa.offer(next)).toEqual({ kind: "adopted", rootsChanged: false });
  });
});
