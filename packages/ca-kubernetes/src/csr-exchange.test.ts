import { buildTestCsr } from "@signet/ca/testing";
import { resources } from "@signet/kubernetes";
import type { FakeRequest } from "@signet/kubernetes/testing";
import { certificatePem, parseCsr } from "@signet/x509";
import { testIntermediate, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import {
  approvalsOf,
  type ClockedCsrCa,
  deletionsOf,
  endAll,
  expectNothingLeft,
  isCreation,
  key,
  newCa,
  pinnedCa,
  requestOf,
  sign,
  signerName,
  stopwatch,
} from "./testing/csr-fixture.ts";
import { drive, driveUntil } from "./testing/drive.ts";
import type { TestSignerMood } from "./testing.ts";

const { certificateSigningRequests } = resources;
const { signal } = new AbortController();

afterEach(endAll);

const isWatchOrList = ({ method, path }: FakeRequest): boolean =>
  method === "GET" && path.endsWith("/certificatesigningrequests");

describe("a signature through the CSR API", () => {
  it("creates, approves, waits, and deletes", async () => {
    const test = await pinnedCa();
    const chain = await drive(test.clock, sign(test));
    expect(chain.map(certificatePem).slice(1)).toEqual([test.signer.intermediate.pem]);
    expect(chain[0].spki).toEqual(key.spki);
    await expectNothingLeft(test);
    const [request] = test.signer.seen;
    expect(request?.spec).toMatchObject({ signerName, expirationSeconds: 3_540 });
    expect(test.cluster.requests.filter(isCreation)).toHaveLength(1);
  });

  it.each([
    ["Denied", "deny"],
    ["Failed", "fail"],
  ] as const)("sees at once that a request is %s", async (type, how) => {
    const test = await pinnedCa(how === "fail" ? { kind: "fail" } : { kind: "ignore" });
    const sinceStart = stopwatch(test);
    const signing = sign(test);
    if (how === "deny") denyAll(test);
    await expect(drive(test.clock, signing, 10)).rejects.toMatchObject({
      code: "signer-refused",
      message: expect.stringContaining(type),
    });
    expect(sinceStart()).toBeLessThan(1_000);
    await expectNothingLeft(test);
  });

  it("waits for a slow signer, and no longer than a minute for a dead one", async () => {
    const slow = await pinnedCa({ kind: "ignore" });
    const signing = sign(slow);
    await driveUntil(slow.clock, () => slow.signer.seen.length > 0);
    await slow.clock.advance(50_000);
    const pending = slow.cluster.all(certificateSigningRequests);
    expect(pending).toHaveLength(1);
    slow.signer.setMood({ kind: "sign" });
    expect((await drive(slow.clock, signing))[0].spki).toEqual(key.spki);

    const dead = await pinnedCa({ kind: "ignore" });
    const sinceStart = stopwatch(dead);
    await expect(drive(dead.clock, sign(dead))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(sinceStart()).toBeGreaterThanOrEqual(60_000);
    expect(sinceStart()).toBeLessThan(61_000);
    await expectNothingLeft(dead);
  });

  it("never waits longer than a minute, whatever it is told", async () => {
    const test = await newCa({ rootPem: (await testRoot()).pem, quiet: true, deadlineMs: 3_600_000 });
    test.signer.setMood({ kind: "ignore" });
    const sinceStart = stopwatch(test);
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(sinceStart()).toBeLessThan(61_000);
  });

  it.each<[string, TestSignerMood]>([
    ["another key", { kind: "other-key" }],
    ["a leaf alone under a root it does not lead to", { kind: "chain", above: [] }],
  ])("refuses an answer with %s", async (_, mood) => {
    const test = await pinnedCa(mood);
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "issued-svid-mismatch" });
    await expectNothingLeft(test);
  });

  it("refuses a chain that leads to another root than the root file", async () => {
    const test = await pinnedCa();
    const stranger = await testRoot({ trustDomain: "stranger" });
    test.signer.replaceCa(stranger, await testIntermediate(stranger));
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "issued-svid-mismatch" });
  });

  it("refuses what Kubernetes would refuse, and what a signer would copy, without asking", async () => {
    const test = await pinnedCa();
    await expect(test.ca.sign(requestOf(test, 599), signal)).rejects.toMatchObject({ code: "lifetime-unsupported" });
    const csr = parseCsr(buildTestCsr({ key, subjectAltNames: [{ kind: "dns", value: "victim.example" }] }));
    const { template } = requestOf(test);
    await expect(test.ca.sign({ csr, template }, signal)).rejects.toMatchObject({ code: "csr-malformed" });
    expect(test.cluster.requests.filter(isCreation)).toEqual([]);
  });

  it("asks for ten minutes where ten or eleven were decided", async () => {
    const test = await pinnedCa();
    for (const seconds of [600, 660]) await drive(test.clock, test.ca.sign(requestOf(test, seconds), signal));
    expect(test.signer.seen.map(({ spec }) => spec.expirationSeconds)).toEqual([600, 600]);
  });

  it.each(["end", "cut", "gone", "error", "silent"] as const)("survives a watch that ends with %s", async (how) => {
    const test = await pinnedCa({ kind: "ignore" });
    const signing = sign(test);
    await driveUntil(test.clock, () => test.signer.seen.length > 0);
    const breaking = (async () => {
      for (let round = 0; round < 5; round++) {
        test.cluster.breakWatches(how);
        await test.clock.advance(1_000);
      }
      test.signer.setMood({ kind: "sign" });
    })();
    await breaking;
    expect((await drive(test.clock, signing))[0].spki).toEqual(key.spki);
    await expectNothingLeft(test);
  });

  it("gets by without the right to watch", async () => {
    const test = await pinnedCa({ kind: "ignore" });
    const signing = sign(test);
    await driveUntil(test.clock, () => test.signer.seen.length > 0);
    test.cluster.setFault({ kind: "status", status: 403, only: isWatchOrList });
    test.cluster.breakWatches("cut");
    await test.clock.advance(5_000);
    test.signer.setMood({ kind: "sign" });
    expect((await drive(test.clock, signing))[0].spki).toEqual(key.spki);
  });

  it("does not hammer the API server while it waits", async () => {
    const test = await pinnedCa({ kind: "ignore" });
    test.cluster.setFault({ kind: "status", status: 403, only: isWatchOrList });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    const gets = test.cluster.requests.filter(
      ({ method, path }) => method === "GET" && path.includes("/csr-workload-"),
    );
    expect(gets.length).toBeLessThan(120);
  });

  it.each([
    [503, "signer-unavailable"],
    [429, "signer-unavailable"],
    [403, "signer-refused"],
    [401, "signer-refused"],
    [422, "signer-refused"],
  ] as const)("says %s from the API server as %s, and deletes nothing that it did not make", async (status, code) => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "status", status, only: isCreation });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code });
    await test.clock.advance(1_000);
    expect(deletionsOf(test.cluster)).toBe(status === 503 ? 1 : 0);
  });

  it("approves also when somebody else writes to the object at the same time", async () => {
    const test = await pinnedCa();
    let labelled = 0;
    const isApproval = ({ path }: FakeRequest): boolean => {
      if (!path.endsWith("/approval") || labelled === 2) return false;
      labelled += 1;
      const [object] = test.cluster.all(certificateSigningRequests);
      if (object === undefined) return false;
      const metadata = { ...object.metadata, labels: { round: String(labelled) } };
      test.cluster.put(certificateSigningRequests, { ...object, metadata });
      return false;
    };
    test.cluster.setFault({ kind: "reset", only: isApproval });
    expect((await drive(test.clock, sign(test)))[0].spki).toEqual(key.spki);
    expect(approvalsOf(test.cluster)).toBe(3);
  });

  it("is told apart from a request that somebody deleted", async () => {
    const test = await pinnedCa({ kind: "ignore" });
    const signing = sign(test);
    await driveUntil(test.clock, () => test.signer.seen.length > 0 && approvalsOf(test.cluster) === 1);
    for (const { metadata } of test.cluster.all(certificateSigningRequests)) {
      test.cluster.delete(certificateSigningRequests, { name: metadata.name });
    }
    await expect(drive(test.clock, signing)).rejects.toMatchObject({ code: "signer-unavailable" });
  });
});

function denyAll({ cluster, clock }: ClockedCsrCa): void {
  driveUntil(clock, () => approvalsOf(cluster) === 1, 10)
    .then(() => {
      for (const request of cluster.all(certificateSigningRequests)) {
        const conditions = [{ type: "Denied", status: "True", reason: "Policy", message: "not here" }];
        cluster.put(certificateSigningRequests, { ...request, status: { conditions } });
      }
    })
    .catch(() => {});
}
