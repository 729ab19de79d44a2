import { signingCaSuite } from "@signet/ca/testing";
import { createSource, systemClock } from "@signet/runtime";
import { certificatePem } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import type { MeshCaCertificate } from "./signer-roots.ts";
import {
  endAll,
  isCreation,
  key,
  newCa,
  newCaBy,
  readyCa,
  requestOf,
  sign,
  signerName,
} from "./testing/csr-fixture.ts";
import { drive } from "./testing/drive.ts";
import { createTestSigner } from "./testing.ts";

const { signal } = new AbortController();

afterEach(endAll);

describe("signers that callers name", () => {
  it("have the domain before their name, and a root of their own", async () => {
    const test = await readyCa({ certSignerDomain: "example.com" });
    const { api } = test;
    const other = await createTestSigner({
      api,
      signerName: "example.com/other",
      clock: test.clock,
      random: Math.random,
    });
    other.task.run(signal).catch(() => {});
    const named = await drive(test.clock, test.ca.signerFor("other", signal));
    expect(named.trustBundle.current()?.pem).toBe(other.root.pem);
    const chain = await drive(test.clock, named.sign(requestOf(test), signal));
    expect(chain.map(certificatePem).slice(1)).toEqual([other.intermediate.pem]);
    expect(await test.ca.signerFor("other", signal)).toBe(named);
    expect(test.ca.trustBundle.current()?.pem).toBe(test.signer.root.pem);
  });

  it("are probed once for all who ask at the same time, and again when that failed", async () => {
    const test = await newCa({ certSignerDomain: "example.com", signerName: "example.com/default" });
    test.signer.setMood({ kind: "fail" });
    const failing = Promise.allSettled([test.ca.signerFor("mesh", signal), test.ca.signerFor("mesh", signal)]);
    expect((await drive(test.clock, failing)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(test.signer.seen).toHaveLength(1);
    test.signer.setMood({ kind: "sign" });
    await drive(test.clock, Promise.all([test.ca.signerFor("mesh", signal), test.ca.signerFor("mesh", signal)]));
    expect(test.signer.seen).toHaveLength(2);
  });

  it("need no probe when the mesh config knows their root", async () => {
    const meshCertificates = createSource<readonly MeshCaCertificate[]>();
    const test = await newCa({ noDefault: true, certSignerDomain: "example.com", meshCertificates });
    meshCertificates.publish([{ pem: test.signer.root.pem, certSigners: [signerName] }]);
    const named = await test.ca.signerFor("mesh", signal);
    expect(test.signer.seen).toEqual([]);
    expect((await drive(test.clock, named.sign(requestOf(test), signal)))[0].spki).toEqual(key.spki);
    expect(test.ca.trustBundle.current()?.pem).toBe(test.signer.root.pem);
  });

  it("are refused without a domain, and when their name cannot be one", async () => {
    const test = await newCa({ quiet: true });
    await expect(test.ca.signerFor("mesh", signal)).rejects.toMatchObject({ code: "signer-refused" });
    const withDomain = await newCa({ quiet: true, certSignerDomain: "example.com" });
    await expect(withDomain.ca.signerFor("a/b", signal)).rejects.toMatchObject({ code: "signer-refused" });
    expect(withDomain.cluster.requests.filter(isCreation)).toEqual([]);
  });

  it("are needed where there is no other", async () => {
    const test = await newCa({ noDefault: true, certSignerDomain: "example.com" });
    await expect(sign(test)).rejects.toMatchObject({ code: "signer-refused" });
    const unnamed = await test.ca.signerFor("", signal);
    await expect(unnamed.sign(requestOf(test), signal)).rejects.toMatchObject({ code: "signer-refused" });
  });
});

signingCaSuite(
  { describe, it },
  {
    name: "the CSR API",
    clock: systemClock,
    signsNamesOfCsr: "signers of Kubernetes copy them",
    shortensLifetime: "a signer counts the lifetime from when it signs",
    async create() {
      const { ca } = await newCaBy(systemClock);
      for await (const { state } of ca.health.changes(signal)) if (state === "good") return ca;
      throw new Error("the signer does not sign");
    },
  },
);
