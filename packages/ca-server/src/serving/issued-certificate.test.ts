import { CaError } from "@signet/ca";
import { type FakeSigningCa, fakeSigningCa } from "@signet/ca/testing";
import { createSource } from "@signet/runtime";
import { FakeClock, type FakeLogger, fakeLogger, seededRandom } from "@signet/runtime/testing";
import { parseCertificates, parsePrivateKey, type TrustBundle } from "@signet/x509";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepIssuedCertificate } from "./issued-certificate.ts";
import type { ServingCertificate } from "./serving-certificate.ts";

const hourMs = 3_600_000;
const names = { dnsNames: ["istiod.istio-system.svc"], ipAddresses: ["127.0.0.1"] };

let clock: FakeClock;
let signingCa: FakeSigningCa;
let logger: FakeLogger;
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  clock = new FakeClock();
  signingCa = await fakeSigningCa();
  logger = fakeLogger();
  stop = new AbortController();
  running = Promise.resolve();
});

afterEach(async () => {
  stop.abort();
  await running.catch(() => {});
});

async function keep(): Promise<ServingCertificate> {
  const dependencies = { servingCa: signingCa, clock, random: seededRandom(1), logger };
  const keeper = await keepIssuedCertificate(names, dependencies, stop.signal);
  running = keeper.task.run(stop.signal);
  await clock.untilSleepers(1);
  return keeper;
}

function serialOf(keeper: ServingCertificate): bigint | undefined {
  return parseCertificates(keeper.pem.current()?.certificateChainPem ?? "")[0]?.serialNumber;
}

/** Lets a renewal, which makes a real key, come to its end. */
async function settled(lines: number): Promise<void> {
  while (logger.lines.length < lines) await new Promise((resolve) => setTimeout(resolve, 1));
  await clock.untilSleepers(1);
}

describe("keepIssuedCertificate", () => {
  it("issues a certificate for a day over a key of its own", async () => {
    const keeper = await keep();
    const pem = keeper.pem.current();
    const [leaf] = parseCertificates(pem?.certificateChainPem ?? "");
    expect(leaf?.subjectAltNames.map((name) => "value" in name && name.value)).toEqual([
      "istiod.istio-system.svc",
      "127.0.0.1",
    ]);
    expect(leaf?.notAfter).toEqual(new Date(clock.now().getTime() + 24 * hourMs));
    const key = parsePrivateKey(pem?.privateKeyPem ?? "");
    expect(leaf?.publicKey.equals(key.publicKey)).toBe(true);
  });

  it("fails to start where a CA of this process cannot issue", async () => {
    signingCa.setNotAfterLimit(clock.now());
    await expect(keep()).rejects.toThrow(CaError);
  });

  it("waits for a CA that is not ready, and does not wait longer once it has roots", async () => {
    const roots = signingCa.trustBundle.current();
    if (roots === undefined) throw new Error("no trust bundle");
    const limit = signingCa.notAfterLimit();
    signingCa.setNotAfterLimit(undefined);
    const trustBundle = createSource<TrustBundle>();
    signingCa = { ...signingCa, trustBundle };
    const keeper = await keep();
    expect(keeper.pem.current()).toBeUndefined();
    expect(keeper.notAfter()).toBeUndefined();
    await clock.advance(300_000);
    expect(keeper.pem.current()).toBeUndefined();
    signingCa.setNotAfterLimit(limit);
    trustBundle.publish(roots);
    while (keeper.pem.current() === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(keeper.notAfter()).toBeDefined();
  });

  it("waits for a CA that is somewhere else, whatever it says first", async () => {
    signingCa = await fakeSigningCa({ keyIsLocal: false });
    signingCa.failWith(new Error("permission denied"));
    const keeper = await keep();
    expect(keeper.pem.current()).toBeUndefined();
    signingCa.failWith(undefined);
    await clock.advance(60_000);
    while (keeper.pem.current() === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  it("renews at half of the lifetime by the wall clock", async () => {
    const keeper = await keep();
    const first = serialOf(keeper);
    await clock.advance(11 * hourMs);
    expect(serialOf(keeper)).toBe(first);
    clock.jump(hourMs);
    await clock.advance(15_000);
    await settled(2);
    expect(serialOf(keeper)).not.toBe(first);
    expect(keeper.notAfter()?.getTime()).toBeGreaterThan(clock.now().getTime() + 23 * hourMs);
  });

  it("keeps the old one while renewal fails, and tries until it does not", async () => {
    const keeper = await keep();
    const first = serialOf(keeper);
    signingCa.failWith(new Error("sealed"));
    await clock.advance(12 * hourMs + 15_000);
    await settled(2);
    expect(logger.lines.at(-1)).toMatchObject({ level: "warn", message: "serving certificate renewal failed" });
    expect(serialOf(keeper)).toBe(first);
    signingCa.failWith(undefined);
    await clock.advance(60_000);
    await settled(3);
    expect(serialOf(keeper)).not.toBe(first);
  });

  it("renews at once when the CA has other roots, and not when they are only published again", async () => {
    const keeper = await keep();
    const first = serialOf(keeper);
    const same = signingCa.trustBundle.current();
    if (same !== undefined) signingCa.trustBundle.publish({ ...same });
    await clock.advance(60_000);
    await clock.untilSleepers(1);
    expect(serialOf(keeper)).toBe(first);

    const other = (await fakeSigningCa()).trustBundle.current();
    if (same === undefined || other === undefined) throw new Error("no trust bundle");
    const authorities = [...same.authorities, ...other.authorities];
    signingCa.trustBundle.publish({ ...same, authorities, pem: same.pem + other.pem });
    await settled(2);
    expect(serialOf(keeper)).not.toBe(first);
  });

  it("does not renew without pause when the CA itself is about to expire", async () => {
    signingCa.setNotAfterLimit(new Date(clock.now().getTime() + 2_000));
    await keep();
    await clock.advance(4_000);
    expect(signingCa.requests).toHaveLength(1);
  });

  it("ends with its signal", async () => {
    await keep();
    stop.abort();
    await expect(running).rejects.toBe(stop.signal.reason);
  });
});
