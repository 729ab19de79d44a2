import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type CertificateSigningRequest, resources } from "../resources.ts";
import { assertFails, type SuiteIt, type SuiteTest } from "./kubernetes-api-suite.ts";

const { certificateSigningRequests } = resources;
const approval = { resource: certificateSigningRequests, subresource: "approval" } as const;
const status = { resource: certificateSigningRequests, subresource: "status" } as const;
const approved = { type: "Approved", status: "True", reason: "Test", message: "approved by the suite" };
const denied = { type: "Denied", status: "True", reason: "Test", message: "denied by the suite" };

/** How requests for certificates are decided and signed. */
export function signingRequestTests(it: SuiteIt): void {
  it("takes a request through approval to its certificate", async (given) => {
    const { api, signal } = given;
    const created = await createRequest(given, { status: { conditions: [approved] } });
    assert.deepEqual(created.status ?? {}, {});
    const decided = await api.replaceSubresource(approval, { ...created, status: { conditions: [approved] } }, signal);
    assert.equal(decided.status?.conditions?.[0]?.type, "Approved");
    const certificate = base64(testdata("ca.pem"));
    const signed = await api.replaceSubresource(
      status,
      { ...decided, status: { ...decided.status, certificate } },
      signal,
    );
    assert.equal(signed.status?.certificate, certificate);
    const other = { ...signed.status, certificate: base64(testdata("client.pem")) };
    await assertFails(api.replaceSubresource(status, { ...signed, status: other }, signal), "invalid");
    await assertFails(
      api.replaceSubresource(approval, { ...created, status: { conditions: [denied] } }, signal),
      "conflict",
    );
    await api.remove(certificateSigningRequests, created.metadata, signal);
    assert.equal(await api.read(certificateSigningRequests, created.metadata, signal), undefined);
  });

  it("lets a decision be neither taken back nor contradicted", async (given) => {
    const { api, signal } = given;
    const created = await createRequest(given, {});
    const refused = await api.replaceSubresource(approval, { ...created, status: { conditions: [denied] } }, signal);
    assert.equal(refused.status?.conditions?.[0]?.type, "Denied");
    for (const conditions of [[], [denied, approved]]) {
      await assertFails(api.replaceSubresource(approval, { ...refused, status: { conditions } }, signal), "invalid");
    }
    const failed = [denied, { type: "Failed", status: "True", reason: "Test" }];
    const ended = await api.replaceSubresource(status, { ...refused, status: { conditions: failed } }, signal);
    assert.deepEqual(
      ended.status?.conditions?.map((condition) => condition.type),
      ["Denied", "Failed"],
    );
    await api.remove(certificateSigningRequests, created.metadata, signal);
  });

  it("refuses a decision by the way of the status, and one that is not true", async (given) => {
    const { api, signal } = given;
    const created = await createRequest(given, {});
    await assertFails(
      api.replaceSubresource(status, { ...created, status: { conditions: [approved] } }, signal),
      "invalid",
    );
    const untrue = [{ ...approved, status: "False" }];
    await assertFails(
      api.replaceSubresource(approval, { ...created, status: { conditions: untrue } }, signal),
      "invalid",
    );
    const unsigned = { certificate: base64("nothing") };
    await assertFails(api.replaceSubresource(status, { ...created, status: unsigned }, signal), "invalid");
    await api.remove(certificateSigningRequests, created.metadata, signal);
  });

  it("refuses requests that are invalid, such as for less than 600 seconds", async (given) => {
    for (const wrong of [
      { expirationSeconds: 599 },
      { signerName: "unqualified" },
      { usages: [] },
      { request: base64("no CSR") },
    ]) {
      await assertFails(createRequest(given, { spec: wrong }), "invalid");
    }
  });

  it("changes nothing but metadata by a replace", async (given) => {
    const { api, signal } = given;
    const created = await createRequest(given, {});
    const certificate = base64(testdata("ca.pem"));
    const spec = { ...created.spec, signerName: "example.com/other" };
    const replaced = await api.replace(
      certificateSigningRequests,
      { ...created, spec, status: { certificate } },
      signal,
    );
    assert.deepEqual([replaced.spec.signerName, replaced.status ?? {}], ["example.com/suite", {}]);
    await api.remove(certificateSigningRequests, created.metadata, signal);
  });
}

function createRequest(
  { api, signal }: SuiteTest,
  wrong: {
    readonly spec?: Partial<CertificateSigningRequest["spec"]>;
    readonly status?: NonNullable<CertificateSigningRequest["status"]>;
  },
): Promise<CertificateSigningRequest> {
  const usages = ["digital signature", "key encipherment", "server auth", "client auth"];
  const request = base64(testdata("frontend.csr"));
  const spec = { request, signerName: "example.com/suite", usages, expirationSeconds: 600, ...wrong.spec };
  const object = { metadata: { name: "", generateName: "suite-" }, spec };
  return api.create(certificateSigningRequests, { ...object, ...(wrong.status && { status: wrong.status }) }, signal);
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function testdata(name: string): string {
  return readFileSync(new URL(`./testdata/${name}`, import.meta.url), "utf8");
}
