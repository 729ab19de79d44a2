import { testIntermediate, testRevocationList, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { filesOf, followTestCa, now } from "../testing/test-ca-files.ts";

const hour = 3_600_000;

describe("health", () => {
  it("says when the CA has expired, whoever asks and whoever listens", async () => {
    const root = await testRoot();
    const ca = await testIntermediate(root, { notAfter: new Date(now.getTime() + hour) });
    const { signingCa, clock } = followTestCa(filesOf(ca, [root]));
    expect(signingCa.health.current()).toEqual({ state: "good" });
    await clock.advance(hour);
    expect(signingCa.health.current()).toEqual({ state: "failing", reason: "the CA has expired" });
    await clock.advance(1000);
    expect(signingCa.offer(filesOf(ca, [root]))).toEqual({ kind: "unchanged" });
    expect(signingCa.offer(filesOf(ca, [root, root])).kind).toBe("refused");
    expect(signingCa.health.current()?.state).toBe("failing");
  });

  it("tells listeners of a refusal and of its end", async () => {
    const root = await testRoot();
    const files = filesOf(await testIntermediate(root), [root]);
    const { signingCa } = followTestCa(files);
    const stop = new AbortController();
    const states: string[] = [];
    const reading = (async () => {
      for await (const { state } of signingCa.health.changes(stop.signal)) states.push(state);
    })();
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    for (const rootPem of [files.rootPem, "", "", files.rootPem]) {
      await turn();
      signingCa.offer({ ...files, rootPem });
    }
    await turn();
    stop.abort();
    await reading;
    expect(states).toEqual(["good", "degraded", "good"]);
  });
});

describe("revocation lists", () => {
  const rights = { signsRevocationLists: true };

  it("are published when they change, and withdrawn as an empty text", async () => {
    const root = await testRoot(rights);
    const ca = await testIntermediate(root, rights);
    const lists = (revoked: number[]) => testRevocationList(ca, { revoked }) + testRevocationList(root);
    const files = filesOf(ca, [root]);
    const { signingCa } = followTestCa(files);
    expect(signingCa.revocationLists.current()).toBeUndefined();
    const withLists = { ...files, crlPem: lists([]) };
    expect(signingCa.offer(withLists)).toEqual({ kind: "adopted", rootsChanged: false });
    expect(signingCa.revocationLists.current()).toBe(withLists.crlPem);
    expect(signingCa.offer({ ...files, crlPem: `# again\n${withLists.crlPem}` })).toEqual({ kind: "unchanged" });
    expect(signingCa.revocationLists.current()).toBe(withLists.crlPem);
    const next = { ...files, crlPem: lists([7]) };
    expect(signingCa.offer(next).kind).toBe("adopted");
    expect(signingCa.revocationLists.current()).toBe(next.crlPem);
    expect(signingCa.offer(files).kind).toBe("adopted");
    expect(signingCa.revocationLists.current()).toBe("");
  });

  it("degrade the CA when they go out of date, and do not stop it", async () => {
    const root = await testRoot(rights);
    const ca = await testIntermediate(root, rights);
    const nextUpdate = new Date(now.getTime() + hour);
    const crlPem = testRevocationList(ca, { nextUpdate }) + testRevocationList(root);
    const { signingCa, clock } = followTestCa(filesOf(ca, [root], { crlPem }));
    expect(signingCa.health.current()).toEqual({ state: "good" });
    await clock.advance(hour + 1000);
    const outOfDate = { state: "degraded", reason: "the CA's revocation lists are out of date" };
    expect(signingCa.health.current()).toEqual(outOfDate);
    expect(signingCa.revocationLists.current()).toBe(crlPem);
    const newer = testRevocationList(ca, { thisUpdate: nextUpdate });
    expect(signingCa.offer(filesOf(ca, [root], { crlPem: crlPem + newer })).kind).toBe("adopted");
    expect(signingCa.health.current()).toEqual({ state: "good" });
  });

  it.each([
    ["has no end", { nextUpdate: null }, "good"],
    ["is not valid yet", { thisUpdate: new Date(now.getTime() + hour) }, "degraded"],
    ["has just begun and ends now", { thisUpdate: now, nextUpdate: now }, "good"],
  ] as const)("make the CA what its list says: one that %s", async (_, validity, state) => {
    const root = await testRoot(rights);
    const crlPem = testRevocationList(root, validity);
    expect(followTestCa(filesOf(root, [root], { crlPem })).signingCa.health.current()?.state).toBe(state);
  });

  it("degrade the CA when a root of the bundle has none", async () => {
    const [root, other] = [await testRoot(rights), await testRoot({ ...rights, trustDomain: "other.example" })];
    const crlPem = testRevocationList(root);
    const { signingCa } = followTestCa(filesOf(root, [root, other], { crlPem }));
    const reason = "the CA's revocation lists do not cover every root";
    expect(signingCa.health.current()).toEqual({ state: "degraded", reason });
    signingCa.offer(filesOf(root, [root, other], { crlPem: crlPem + testRevocationList(other) }));
    expect(signingCa.health.current()).toEqual({ state: "good" });
  });
});
