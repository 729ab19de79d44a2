import { buildTestCsr } from "@signet/ca/testing";
import { resources } from "@signet/kubernetes";
import type { FakeRequest } from "@signet/kubernetes/testing";
import { encodePem, generateKeyPair } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import { type ClockedCsrCa, endAll, pinnedCa, sign } from "./testing/csr-fixture.ts";
import { drive } from "./testing/drive.ts";

const { certificateSigningRequests } = resources;

afterEach(endAll);

describe("what is approved", () => {
  it("is never another object that has come under the name of ours", async () => {
    const test = await pinnedCa();
    const { der } = await buildTestCsr({ key: await generateKeyPair("P-256") });
    const request = Buffer.from(encodePem("CERTIFICATE REQUEST", der), "latin1").toString("base64");
    replaceBeforeApproval(test, (spec) => ({ ...spec, request }));
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(approvedIn(test)).toEqual([]);
  });

  it("is never a request for anything else than was asked for", async () => {
    const test = await pinnedCa();
    test.cluster.setFault({ kind: "reset", only: () => false });
    replaceBeforeApproval(test, (spec) => ({ ...spec, signerName: "kubernetes.io/kube-apiserver-client" }), "same uid");
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-refused" });
    expect(approvedIn(test)).toEqual([]);
  });
});

type Spec = { readonly request: string; readonly signerName: string };

/** Somebody deletes our request between its creation and its approval, and puts one of their own in its place. */
function replaceBeforeApproval(
  { cluster }: ClockedCsrCa,
  change: (spec: Spec) => Spec,
  identity: "other uid" | "same uid" = "other uid",
): void {
  let done = false;
  const replace = ({ path }: FakeRequest): boolean => {
    const [object] = cluster.all(certificateSigningRequests);
    if (done || object === undefined || !path.endsWith("/approval")) return false;
    done = true;
    const { name, uid } = object.metadata;
    cluster.delete(certificateSigningRequests, { name });
    const metadata = identity === "same uid" ? { name, ...(uid !== undefined && { uid }) } : { name };
    cluster.put(certificateSigningRequests, { metadata, spec: change(object.spec) });
    return false;
  };
  cluster.setFault({ kind: "reset", only: replace });
}

function approvedIn({ cluster }: ClockedCsrCa): readonly unknown[] {
  return cluster.requests.length === 0 ? [] : approvals(cluster.all(certificateSigningRequests));
}

function approvals(all: readonly { readonly status?: { readonly conditions?: readonly { type: string }[] } }[]): unknown[] {
  return all.filter(({ status }) => status?.conditions?.some(({ type }) => type === "Approved"));
}
