import { randomBytes } from "node:crypto";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { certificatePem, privateKeyPem, type SvidTemplate, serialNumberHex } from "@signet/x509";
import { type TestCa, testKey } from "@signet/x509/testing";
import type { CaFiles } from "../signing/ca-material.ts";
import { createReloadingCa, type ReloadingCa } from "../signing/reloading-ca.ts";

/** The instant at which the CAs of these tests live. */
export const now: Date = new Date("2026-11-01T12:00:00Z");

/** The files of a CA under these roots; the chain leads to below the root. */
export function filesOf(ca: TestCa, roots: readonly TestCa[], more: Partial<CaFiles> = {}): CaFiles {
  return {
    certificatePem: ca.pem,
    privateKeyPem: privateKeyPem(ca.key, "pkcs8"),
    chainPem: ca.chain.map(certificatePem).join(""),
    rootPem: roots.map(({ pem }) => pem).join(""),
    ...more,
  };
}

/** A reloading CA that writes down what it reports. */
export type FollowedTestCa = {
  readonly signingCa: ReloadingCa;
  readonly clock: FakeClock;
  /** "adopted <serial number>" and "refused <code>". */
  readonly lines: string[];
};

/** Returns a reloading CA that starts with `initial`. */
export function followTestCa(initial: CaFiles): FollowedTestCa {
  const clock = new FakeClock(now);
  const lines: string[] = [];
  const events = {
    adopted: ({ serialNumber }: { serialNumber: string }) => lines.push(`adopted ${serialNumber}`),
    refused: ({ error }: { error: { code: string } }) => lines.push(`refused ${error.code}`),
  };
  const signingCa = createReloadingCa({ name: "plugged-in", initial }, { clock, randomBytes, events });
  return { signingCa, clock, lines };
}

/** The line of a CA that was adopted. */
export function adopted(ca: TestCa): string {
  return `adopted ${serialNumberHex(ca.certificate)}`;
}

/** A template of one SPIFFE ID for an hour from `now`. */
export async function templateOf(id = "spiffe://cluster.local/ns/demo/sa/frontend"): Promise<SvidTemplate> {
  const { spki } = await testKey();
  const subjectAltNames = [{ kind: "uri", value: parseSpiffeId(id) }] as const;
  return { spki, subjectAltNames, notBefore: now, notAfter: new Date(now.getTime() + 3_600_000) };
}
