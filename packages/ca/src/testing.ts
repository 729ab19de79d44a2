/** Fakes of this package's seams, and the behaviour suites of signing CAs and authenticators; for tests only. */

import { randomBytes } from "node:crypto";
import { createSource, type Publisher } from "@signet/runtime";
import { parseTrustDomain } from "@signet/spiffe";
import {
  type CertificateChain,
  encodePem,
  generateKeyPair,
  type KeyType,
  privateKeyPem,
  randomSerialNumber,
  selfSignRoot,
  type TrustBundle,
} from "@signet/x509";
import type { AuthenticationResult, Authenticator, PresentedCredentials } from "./authenticator.ts";
import type { CaState, CaStateStore } from "./ca-state-store.ts";
import type { IssuanceEvents, IssuedEvent, RefusedEvent } from "./issuance-events.ts";
import { openCaMaterial } from "./signing/ca-material.ts";
import { createLocalSigningCa } from "./signing/local-signing-ca.ts";
import type { SigningCa, SigningRequest } from "./signing-ca.ts";

export {
  type AcceptedCredentials,
  type AuthenticatorFixture,
  type AuthenticatorSubject,
  authenticatorSuite,
} from "./testing/authenticator-suite.ts";
export { buildTestCsr, type TestCsrOptions } from "./testing/build-test-csr.ts";
export type { CredentialField } from "./testing/hostile-credentials.ts";
export { podIndex } from "./testing/pod-index.ts";
export { type SigningCaSubject, type SuiteTools, signingCaSuite } from "./testing/signing-ca-suite.ts";

/** How a fake signing CA differs from a good one. */
export type FakeSigningCaOptions = {
  readonly name?: string;
  /** Default P-256. */
  readonly keyType?: KeyType;
  /** Default "cluster.local"; the organization of the root. */
  readonly trustDomain?: string;
  /** Of the root; default 2000 to 2100, so that any clock will do. */
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** What the fake claims; default true. The key is here either way. */
  readonly keyIsLocal?: boolean;
  /** What a faulty backend makes of a good answer. */
  readonly alter?: (chain: CertificateChain, request: SigningRequest) => CertificateChain;
};

/** A signing CA with a real key whose moods a test sets. */
export interface FakeSigningCa extends SigningCa {
  readonly trustBundle: Publisher<TrustBundle>;
  /** All it was asked to sign, in order. */
  readonly requests: readonly SigningRequest[];
  /** From now on every signature fails with `error`; undefined ends that. */
  failWith(error: Error | undefined): void;
  /** What `notAfterLimit` answers from now on. */
  setNotAfterLimit(limit: Date | undefined): void;
}

/**
 * Returns a signing CA over a fresh root that signs well until told otherwise.
 * @example
 * ```ts
 * import { fakeSigningCa } from "@signet/ca/testing";
 * const signingCa = await fakeSigningCa();
 * signingCa.failWith(new Error("sealed"));
 * ```
 */
export async function fakeSigningCa(options: FakeSigningCaOptions = {}): Promise<FakeSigningCa> {
  const state = await testCaState(options);
  const files = { ...state, chainPem: "", rootPem: state.rootCertificatesPem };
  const material = openCaMaterial(files, options.notBefore ?? defaultNotBefore);
  const real = createLocalSigningCa(options.name ?? "fake", material, randomBytes);
  const requests: SigningRequest[] = [];
  let failure: Error | undefined;
  let limit = real.notAfterLimit();
  return {
    ...real,
    keyIsLocal: options.keyIsLocal ?? true,
    trustBundle: createSource(material.trustBundle),
    requests,
    notAfterLimit: () => limit,
    setNotAfterLimit(next): void {
      limit = next;
    },
    failWith(error): void {
      failure = error;
    },
    async sign(request, signal) {
      requests.push(request);
      if (failure !== undefined) throw failure;
      const chain = await real.sign(request, signal);
      return options.alter?.(chain, request) ?? chain;
    },
  };
}

const defaultNotBefore = new Date("2000-01-01T00:00:00Z");
const defaultNotAfter = new Date("2100-01-01T00:00:00Z");

/**
 * Returns the state of a self-signed CA with a fresh root.
 * @example
 * ```ts
 * import { memoryCaStateStore, testCaState } from "@signet/ca/testing";
 * const store = memoryCaStateStore(await testCaState({ notAfter: new Date("2026-01-01T00:00:00Z") }));
 * ```
 */
export async function testCaState(
  options: Pick<FakeSigningCaOptions, "keyType" | "trustDomain" | "notBefore" | "notAfter"> = {},
): Promise<CaState> {
  const key = await generateKeyPair(options.keyType ?? "P-256");
  const root = await selfSignRoot({
    key,
    organization: parseTrustDomain(options.trustDomain ?? "cluster.local"),
    notBefore: options.notBefore ?? defaultNotBefore,
    notAfter: options.notAfter ?? defaultNotAfter,
    serialNumber: randomSerialNumber(randomBytes),
  });
  const certificatePem = encodePem("CERTIFICATE", root);
  return { certificatePem, privateKeyPem: privateKeyPem(key, "traditional"), rootCertificatesPem: certificatePem };
}

/** A state store in memory, and every state that was saved in it. */
export interface MemoryCaStateStore extends CaStateStore {
  readonly saved: readonly CaState[];
}

/**
 * Returns a state store that holds `initial`, or nothing.
 * @example
 * ```ts
 * import { memoryCaStateStore } from "@signet/ca/testing";
 * await memoryCaStateStore().load(); // undefined
 * ```
 */
export function memoryCaStateStore(initial?: CaState): MemoryCaStateStore {
  const saved: CaState[] = [];
  return {
    saved,
    load: async () => saved.at(-1) ?? initial,
    async save(state) {
      saved.push(state);
    },
  };
}

/** What a fake authenticator answers: always the same, or as the test decides; an Error is thrown. */
export type FakeAuthenticatorAnswer =
  | AuthenticationResult
  | Error
  | ((presented: PresentedCredentials, signal: AbortSignal) => Promise<AuthenticationResult>);

/** An authenticator, and all it was asked about. */
export interface FakeAuthenticator extends Authenticator {
  readonly asked: readonly PresentedCredentials[];
}

/**
 * Returns an authenticator that gives one answer.
 * @example
 * ```ts
 * import { fakeAuthenticator } from "@signet/ca/testing";
 * const away = fakeAuthenticator("token", { kind: "unavailable", reason: "keys-unavailable" });
 * ```
 */
export function fakeAuthenticator(name: string, answer: FakeAuthenticatorAnswer): FakeAuthenticator {
  const asked: PresentedCredentials[] = [];
  return {
    name,
    asked,
    async authenticate(presented, signal) {
      asked.push(presented);
      if (answer instanceof Error) throw answer;
      return typeof answer === "function" ? await answer(presented, signal) : answer;
    },
  };
}

/** Issuance events as they came. */
export interface RecordedEvents extends IssuanceEvents {
  readonly all: readonly (
    | ({ readonly kind: "issued" } & IssuedEvent)
    | ({ readonly kind: "refused" } & RefusedEvent)
  )[];
}

/**
 * Returns issuance events that are kept in `all`.
 * @example
 * ```ts
 * import { recordingEvents } from "@signet/ca/testing";
 * const events = recordingEvents();
 * events.all.length; // 0
 * ```
 */
export function recordingEvents(): RecordedEvents {
  const all: RecordedEvents["all"][number][] = [];
  return {
    all,
    issued: (event) => void all.push({ kind: "issued", ...event }),
    refused: (event) => void all.push({ kind: "refused", ...event }),
  };
}
