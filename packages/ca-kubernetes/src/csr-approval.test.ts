import { buildTestCsr } from "@signet/ca/testing";
import { type CertificateSigningRequest, resources } from "@signet/kubernetes";
import type { FakeRequest } from "@signet/kubernetes/testing";
import { generateKeyPair } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import { type ClockedCsrCa, endAll, pinnedCa, sign } from "./testing/csr-fixture.ts";
import { drive } from "./testing/drive.ts";

const { certificateSigningRequests } = resources;

type Spec = CertificateSigningRequest["spec"];

afterEach(endAll);

describe("what is approved", () => {
  it("is never another object that has come under the name of ours", async () => {
    const csr = buildTestCsr({ key: await generateKeyPair("P-256"), organization: "system:masters" });
    const request = Buffer.from(csr, "latin1").toString("base64");
    const test = await pinnedCa();
    const approved = replaceBeforeApproval(test, (spec) => ({ ...spec, request }));
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(approved()).toEqual([]);
  });

  it.each([
    ["another signer", { signerName: "kubernetes.io/kube-apiserver-client" }],
    ["another CSR", { request: Buffer.from("another").toString("base64") }],
    ["other usages", { usages: ["digital signature", "cert sign"] }],
  ])("is never a request for %s", async (_what, change) => {
    const test = await pinnedCa();
    const approved = replaceBeforeApproval(test, (spec) => ({ ...spec, ...change }), { keepsUid: true });
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-refused" });
    expect(approved()).toEqual([]);
  });
});

/**
 * Has somebody put a request of their own into the place of ours, between its creation and its approval; returns what
 * has been approved.
 */
function replaceBeforeApproval(
  { cluster }: ClockedCsrCa,
  change: (spec: Spec) => Spec,
  { keepsUid = false } = {},
): () => readonly unknown[] {
  let done = false;
  const approved: unknown[] = [];
  const look = ({ path }: FakeRequest): boolean => {
    const [object] = cluster.all(certificateSigningRequests);
    if (object === undefined) return false;
    if (object.status?.conditions?.some(({ type }) => type === "Approved")) approved.push(object);
    if (done || !path.endsWith("/approval")) return false;
    done = true;
    const { name, uid = "" } = object.metadata;
    cluster.delete(certificateSigningRequests, { name });
    const metadata = keepsUid ? { name, uid } : { name };
    cluster.put(certificateSigningRequests, { metadata, spec: change(object.spec) });
    return false;
  };
  cluster.setFault({ kind: "reset", only: look });
  return () => approved;
}
