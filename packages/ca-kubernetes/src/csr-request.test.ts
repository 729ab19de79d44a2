import { randomBytes } from "node:crypto";
import { buildSvidTemplate, decideLifetime, type SigningRequest } from "@signet/ca";
import { buildTestCsr, type TestCsrOptions } from "@signet/ca/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, parseCsr, parsePem, type SvidTemplate } from "@signet/x509";
import { testKey } from "@signet/x509/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csrRequestName, decideCsrRequest } from "./csr-request.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const now = new Date("2026-11-22T12:00:00.900Z");
const options = { signerName: "example.com/mesh", name: "csr-workload-1", now };
const own = { kind: "uri", value: spiffeId } as const;
const key = await testKey();

function lifetimeOf(seconds: number): Pick<SvidTemplate, "notBefore" | "notAfter"> {
  const limits = { defaultTtlMs: 86_400_000, maxTtlMs: 7_776_000_000 };
  const notAfterLimit = new Date("2045-01-01T00:00:00Z");
  return decideLifetime({ requestedSeconds: BigInt(seconds), limits, now, notAfterLimit });
}

function requestOf(pem: string, seconds = 3_600): SigningRequest {
  const csr = parseCsr(pem);
  return { csr, template: buildSvidTemplate({ csr, spiffeId, lifetime: lifetimeOf(seconds) }) };
}

function requestWith(asked: Omit<TestCsrOptions, "key">): SigningRequest {
  return requestOf(buildTestCsr({ key, ...asked }));
}

describe("decideCsrRequest", () => {
  it("asks the signer for exactly the CSR, as istiod does", () => {
    const pem = createCsr({ key, spiffeId });
    const { metadata, spec } = decideCsrRequest(requestOf(pem), options);
    expect(metadata).toEqual({ generateName: "csr-workload-", name: "csr-workload-1" });
    expect(spec).toEqual({
      request: expect.any(String),
      signerName: "example.com/mesh",
      usages: ["digital signature", "key encipherment", "server auth", "client auth"],
      expirationSeconds: 3_539,
    });
    const sent = Buffer.from(spec.request, "base64").toString("latin1");
    expect(parsePem(sent, "CERTIFICATE REQUEST")).toEqual(parsePem(pem, "CERTIFICATE REQUEST"));
  });

  it("asks for the default lifetime when the caller asked for none", () => {
    expect(decideCsrRequest(requestOf(createCsr({ key, spiffeId }), 0), options).spec.expirationSeconds).toBe(86_339);
  });

  it("never asks for less than Kubernetes accepts, nor for more than was decided beyond that", () => {
    fc.assert(
      fc.property(fc.integer({ min: 600, max: 7_776_000 }), fc.integer({ min: 0, max: 30_000 }), (seconds, lateMs) => {
        const late = new Date(now.getTime() + lateMs);
        const request = requestOf(createCsr({ key, spiffeId }), seconds);
        const { expirationSeconds = 0 } = decideCsrRequest(request, { ...options, now: late }).spec;
        expect(expirationSeconds).toBeGreaterThanOrEqual(600);
        expect(expirationSeconds).toBeLessThanOrEqual(Math.max(600, seconds - lateMs / 1000 - 60));
      }),
    );
  });

  it.each([1, 60, 300, 599])("refuses %i seconds, and says what the minimum is", (seconds) => {
    const request = requestOf(createCsr({ key, spiffeId }), seconds);
    expect(() => decideCsrRequest(request, options)).toThrow(
      expect.objectContaining({ code: "lifetime-unsupported", message: expect.stringContaining("below 10m0s") }),
    );
  });

  it("needs a CSR", () => {
    const { template } = requestOf(createCsr({ key, spiffeId }));
    expect(() => decideCsrRequest({ template }, options)).toThrow(expect.objectContaining({ code: "signing-failed" }));
  });

  it("refuses a CSR for another key than the template's", async () => {
    const { template } = requestOf(createCsr({ key, spiffeId }));
    const csr = parseCsr(createCsr({ key: await testKey(), spiffeId }));
    expect(() => decideCsrRequest({ template, csr }, options)).toThrow(
      expect.objectContaining({ code: "csr-malformed" }),
    );
  });

  it.each<[string, Omit<TestCsrOptions, "key">]>([
    ["no organization, as ztunnel writes it", { subjectAltNames: [own] }],
    ["an empty organization in UTF-8", { subjectAltNames: [own], organization: "" }],
  ])("takes a CSR with %s", (_, asked) => {
    expect(decideCsrRequest(requestWith(asked), options).spec.signerName).toBe("example.com/mesh");
  });

  it.each<[string, Omit<TestCsrOptions, "key">]>([
    ["an organization", { subjectAltNames: [own], organization: "system:masters" }],
    ["a common name", { subjectAltNames: [own], commonName: "admin" }],
    ["an empty common name", { subjectAltNames: [own], commonName: "" }],
    ["no names", {}],
    ["another name", { subjectAltNames: [{ kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/backend" }] }],
    ["a second name", { subjectAltNames: [own, { kind: "dns", value: "victim.example" }] }],
    ["its name twice", { subjectAltNames: [own, own] }],
    ["its name as a DNS name", { subjectAltNames: [{ kind: "dns", value: spiffeId }] }],
    ["an e-mail address", { subjectAltNames: [own, { kind: "other", tag: 1, der: Uint8Array.of(0x81, 1, 0x61) }] }],
    ["a CA's extensions", { subjectAltNames: [own], ca: true }],
  ])("refuses a CSR with %s, which a signer would copy", (_, asked) => {
    expect(() => decideCsrRequest(requestWith(asked), options)).toThrow(
      expect.objectContaining({ code: "csr-malformed" }),
    );
  });
});

describe("csrRequestName", () => {
  it("is a name that Kubernetes accepts, and another each time", () => {
    const names = Array.from({ length: 100 }, () => csrRequestName(randomBytes));
    for (const name of names) expect(name).toMatch(/^csr-workload-[0-9a-f]{20}$/);
    expect(new Set(names).size).toBe(100);
  });
});
