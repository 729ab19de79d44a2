import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { describeName, type KeyType, parseCertificates, parsePrivateKey } from "@signet/x509";
import * as vitest from "vitest";
import { describe, expect, it } from "vitest";
import type { CaState } from "../ca-state-store.ts";
import { memoryCaStateStore, signingCaSuite, testCaState } from "../testing.ts";
import { loadSelfSignedCa, type SelfSignedCaOptions } from "./self-signed-ca.ts";

const clock = new FakeClock(new Date("2026-11-01T12:00:00.500Z"));
const tenYearsMs = 87_600 * 3_600_000;

function load(options: Partial<SelfSignedCaOptions> = {}) {
  const defaults = { store: memoryCaStateStore(), trustDomain: parseTrustDomain("cluster.local"), ttlMs: tenYearsMs };
  return loadSelfSignedCa({ ...defaults, keyType: "P-256", ...options }, { clock, randomBytes });
}

for (const keyType of ["P-256", "RSA-2048"] as const) {
  signingCaSuite(vitest, { name: `self-signed CA (${keyType})`, create: () => load({ keyType }), clock });
}

describe("loadSelfSignedCa where nothing is stored", () => {
  it.each<{ keyType: KeyType; label: string }>([
    { keyType: "RSA-2048", label: "RSA PRIVATE KEY" },
    { keyType: "P-256", label: "EC PRIVATE KEY" },
  ])("makes a $keyType root and saves it before it is used", async ({ keyType, label }) => {
    const store = memoryCaStateStore();
    const signingCa = await load({ store, keyType });
    const [state] = store.saved;
    expect(store.saved).toHaveLength(1);
    expect(state?.privateKeyPem).toContain(`-----BEGIN ${label}-----`);
    expect(signingCa.trustBundle.current()?.pem).toBe(state?.rootCertificatesPem);
    expect(state?.rootCertificatesPem).toBe(state?.certificatePem);
  });

  it("names the root by its trust domain, and lets it live from now for the lifetime asked for", async () => {
    const signingCa = await load();
    const [root] = signingCa.trustBundle.current()?.authorities ?? [];
    expect(root === undefined ? "" : describeName(root.subject)).toBe("O=cluster.local");
    expect(root?.notBefore.toISOString()).toBe("2026-11-01T12:00:00.000Z");
    expect(root?.notAfter.toISOString()).toBe("2036-10-29T12:00:00.000Z");
    expect(root?.isCa).toBe(true);
    expect([...(root?.keyUsage ?? [])]).toEqual(["keyCertSign"]);
    expect(signingCa.notAfterLimit()).toEqual(root?.notAfter);
    expect(signingCa.chain()).toEqual([]);
  });

  it("draws no serial number for a call that was aborted before", async () => {
    let drawn = 0;
    const counted = (size: number) => {
      drawn++;
      return randomBytes(size);
    };
    const store = memoryCaStateStore(await testCaState());
    const options = {
      store,
      trustDomain: parseTrustDomain("cluster.local"),
      ttlMs: tenYearsMs,
      keyType: "P-256",
    } as const;
    const signingCa = await loadSelfSignedCa(options, { clock, randomBytes: counted });
    const template = { spki: new Uint8Array(), subjectAltNames: [], notBefore: clock.now(), notAfter: clock.now() };
    await expect(signingCa.sign({ template }, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
    expect(drawn).toBe(0);
  });

  it("is no CA when the root could not be saved", async () => {
    const full = new Error("no space left on device");
    const store = { load: async () => undefined, save: () => Promise.reject(full) };
    await expect(load({ store })).rejects.toBe(full);
  });

  it("makes nothing when it cannot be told whether something is stored", async () => {
    const unreadable = new Error("permission denied");
    const store = { ...memoryCaStateStore(), load: () => Promise.reject(unreadable) };
    await expect(load({ store })).rejects.toBe(unreadable);
    expect(store.saved).toEqual([]);
  });
});

describe("loadSelfSignedCa where a root is stored", () => {
  it("uses it as it is, whatever kind of root would be made now", async () => {
    const store = memoryCaStateStore();
    const before = await load({ store });
    const after = await load({
      store,
      keyType: "RSA-2048",
      ttlMs: 1000,
      trustDomain: parseTrustDomain("other.example"),
    });
    expect(after.trustBundle.current()?.pem).toBe(before.trustBundle.current()?.pem);
    expect(after.signingKeyInfo()).toEqual({ kind: "ec", curve: "P-256" });
    expect(store.saved).toHaveLength(1);
  });

  it.each<{ name: string; state: () => Promise<CaState> }>([
    { name: "expired", state: () => testCaState({ notAfter: new Date("2026-11-01T12:00:00Z") }) },
    { name: "not yet valid", state: () => testCaState({ notBefore: new Date("2026-11-02T12:00:00Z") }) },
    {
      name: "of another key",
      state: async () => ({ ...(await testCaState()), privateKeyPem: (await testCaState()).privateKeyPem }),
    },
    { name: "no certificate", state: async () => ({ ...(await testCaState()), certificatePem: "" }) },
    { name: "no PEM", state: async () => ({ ...(await testCaState()), certificatePem: "x" }) },
    { name: "without key", state: async () => ({ ...(await testCaState()), privateKeyPem: "" }) },
    { name: "without trust bundle", state: async () => ({ ...(await testCaState()), rootCertificatesPem: "" }) },
    {
      name: "not in its own trust bundle",
      state: async () => ({ ...(await testCaState()), rootCertificatesPem: (await testCaState()).rootCertificatesPem }),
    },
  ])("refuses one that is $name, and keeps it", async ({ state }) => {
    const store = memoryCaStateStore(await state());
    await expect(load({ store })).rejects.toMatchObject({ code: "ca-material-invalid" });
    expect(store.saved).toEqual([]);
  });

  it("shows no key in its errors", async () => {
    const { privateKeyPem, ...certificates } = await testCaState();
    const [, secret = ""] = privateKeyPem.split("\n");
    const store = memoryCaStateStore({ ...certificates, privateKeyPem: privateKeyPem.replace(secret, `${secret}AA`) });
    const error: unknown = await load({ store }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ca-material-invalid", cause: expect.any(Error) });
    expect(inspect(error, { depth: 9 })).not.toContain(secret.slice(0, 20));
  });

  it("reads back what it saved", async () => {
    const store = memoryCaStateStore();
    await load({ store });
    const [state] = store.saved;
    const [certificate] = parseCertificates(state?.certificatePem ?? "");
    expect(certificate?.publicKey.equals(parsePrivateKey(state?.privateKeyPem ?? "").publicKey)).toBe(true);
  });
});
