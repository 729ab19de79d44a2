import { parseSpiffeId } from "@signet/spiffe";
import { type Certificate, createCsr, generateKeyPair, parseCsr } from "@signet/x509";
import { beforeAll, describe, expect, it } from "vitest";
import { buildSvidTemplate } from "./build-svid-template.ts";
import { checkIssuedSvid, type IssuedSvidCheck } from "./check-issued-svid.ts";
import { certificateSubject, withLeaf } from "./testing/altered-leaf.ts";
import { fakeSigningCa } from "./testing.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const other = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/backend");
const at = new Date("2026-11-01T12:00:00.500Z");
const lifetime = { notBefore: new Date("2026-11-01T11:58:00Z"), notAfter: new Date("2026-11-01T13:00:00Z") };
const signal = new AbortController().signal;
const tlsPurposes = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];

let good: IssuedSvidCheck;
let named: IssuedSvidCheck;

beforeAll(async () => {
  const signingCa = await fakeSigningCa();
  const trustBundle = signingCa.trustBundle.current();
  if (trustBundle === undefined) throw new Error("no trust bundle");
  const csr = parseCsr(createCsr({ key: await generateKeyPair("P-256"), spiffeId }));
  const template = buildSvidTemplate({ csr, spiffeId, lifetime });
  good = { chain: await signingCa.sign({ template }, signal), template, trustBundle, at, verifySignature: true };
  const withName = { ...template, commonName: spiffeId };
  named = { ...good, chain: await signingCa.sign({ template: withName }, signal), template: withName };
});

function expectMismatch(check: IssuedSvidCheck): void {
  expect(() => checkIssuedSvid(check)).toThrow(expect.objectContaining({ code: "issued-svid-mismatch" }));
}

describe("checkIssuedSvid of a key elsewhere", () => {
  it.each<{ name: string; change: Partial<Certificate> }>([
    { name: "whose names are not critical", change: { subjectAltNameCritical: false } },
    { name: "without key encipherment", change: { keyUsage: new Set(["digitalSignature"]) } },
    { name: "with key agreement", change: { keyUsage: new Set(["digitalSignature", "keyAgreement"]) } },
    { name: "for one purpose more", change: { extendedKeyUsage: [...tlsPurposes, "1.3.6.1.5.5.7.3.4"] } },
    { name: "with labels in its subject", change: { subject: certificateSubject(["O", "demo"], ["O", ",CN=admin"]) } },
    { name: "that begins later", change: { notBefore: new Date("2026-11-01T11:59:30Z") } },
    { name: "that begins earlier", change: { notBefore: new Date("2026-11-01T10:58:00Z") } },
    { name: "dated by a clock a minute ahead", change: { notBefore: new Date("2026-11-01T12:01:00Z") } },
  ])("takes a certificate $name only from a key elsewhere", ({ change }) => {
    const chain = withLeaf(good.chain, change);
    expectMismatch({ ...good, chain, verifySignature: false });
    expect(() => checkIssuedSvid({ ...good, chain })).not.toThrow();
  });

  it.each<{ name: string; change: Partial<Certificate> }>([
    { name: "dated by a clock too far ahead", change: { notBefore: new Date("2026-11-01T12:01:01Z") } },
    { name: "dated back too far", change: { notBefore: new Date("2026-11-01T10:57:59Z") } },
    {
      name: "that ends before it begins",
      change: { notBefore: new Date("2026-11-01T12:01:00Z"), notAfter: new Date("2026-11-01T12:00:30Z") },
    },
    { name: "that has ended", change: { notAfter: new Date("2026-11-01T12:00:00Z") } },
  ])("refuses a certificate $name from a key elsewhere", ({ change }) => {
    expectMismatch({ ...good, chain: withLeaf(good.chain, change) });
  });

  it("may lack the common name of the template, and have no other", () => {
    expect(() => checkIssuedSvid(named)).not.toThrow();
    expect(() => checkIssuedSvid({ ...good, template: named.template })).not.toThrow();
    const subject = certificateSubject(["CN", spiffeId], ["CN", other]);
    expectMismatch({ ...named, chain: withLeaf(named.chain, { subject }) });
    expectMismatch({ ...named, template: good.template });
  });
});
