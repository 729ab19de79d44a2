import { CaError, type SigningCa, type SigningRequest } from "@signet/ca";
import type { Clock, Random, Task } from "@signet/runtime";
import type { CertificateChain, SvidTemplate } from "@signet/x509";
import { authorizeCalls } from "./authorized-calls.ts";
import { isTransient, VaultError } from "./errors.ts";
import { createHealthBoard, type HealthPart, type HealthReport } from "./health-board.ts";
import { createLoginMethod } from "./login-method.ts";
import { createMountFollower, type MountFacts, type MountFollower } from "./mount-follower.ts";
import { createMountReader, type RoleRecord } from "./mount-records.ts";
import { isSelfSigned, type MountView } from "./mount-view.ts";
import { buildSignBody, createAnswerReader } from "./sign-with-vault.ts";
import { createSigningCalls, maxConcurrentSignatures, type SigningCalls } from "./signing-calls.ts";
import { readPinnedRoots, readTlsMaterial } from "./trust-files.ts";
import { createVaultClient } from "./vault-client.ts";
import type { VaultEvents } from "./vault-events.ts";
import { createVaultSession } from "./vault-session.ts";
import type { VaultSettings } from "./vault-settings.ts";
import { createVaultTransport, type VaultTransport } from "./vault-transport.ts";

/** What a CA behind Vault needs. */
export type VaultCaDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: VaultEvents;
};

/** A signing CA whose key is in Vault. */
export interface VaultCa extends SigningCa {
  /** Keep the token fresh, and follow the issuers of the mount; nothing is signed until they have run for a moment. */
  readonly tasks: readonly Task[];
  /** Ends the connections to Vault, and what is under way for no caller. */
  close(): void;
}

/** Sockets for whatever is not a signature. */
const spareSockets = 4;
/** Far above a certificate with its chain. */
const maxResponseBytes = 1_048_576;

/**
 * Returns a CA that has Vault (or OpenBao) sign what the template says, over `<mount>/sign/<role>`.
 *
 * Vault need not be there yet: until its issuers have been read, whoever wants a signature gets `ca-not-ready`. A
 * signature fails with `signer-unavailable` while Vault is away, sealed, slow or has no room, with `signer-refused` when
 * it does not allow or accept what it is asked, and with `overloaded` when too many wait for one.
 * @throws VaultError `config-invalid` when a file cannot be read or used
 * @example
 * ```ts
 * import { createVaultCa, type VaultEvents, type VaultSettings } from "@signet/ca-vault";
 * import { runGroup, systemClock } from "@signet/runtime";
 * export async function runVaultCa(settings: VaultSettings, events: VaultEvents, signal: AbortSignal) {
 *   const signingCa = await createVaultCa(settings, { clock: systemClock, random: Math.random, events });
 *   await runGroup(signingCa.tasks, signal);
 *   signingCa.close();
 * }
 * ```
 */
export async function createVaultCa(settings: VaultSettings, dependencies: VaultCaDependencies): Promise<VaultCa> {
  const { clock, random, events } = dependencies;
  const lifetime = new AbortController();
  const board = createHealthBoard();
  const reportAs =
    (part: HealthPart): HealthReport =>
    (problem) =>
      board.report(part, problem);
  const { transport, reload } = await openTransport(settings, events);
  const client = await createVaultClient(settings, { transport, clock, observe: (call) => events.called(call) });
  const method = createLoginMethod(settings.auth, { client, clock });
  const session = createVaultSession({
    ...{ method, client, clock, random, events },
    report: reportAs("session"),
    lifetime: lifetime.signal,
  });
  const call = authorizeCalls(client, session);
  const follower = createMountFollower({
    ...{ clock, random, events, refreshMs: settings.refreshMs },
    question: {
      reader: createMountReader(settings.pkiMount, call),
      ...{ role: settings.role, servingRole: settings.servingRole, issuer: settings.issuer },
      readPinned: pinnedReader(settings.pinnedRootFile),
    },
    beforeLook: reload,
    report: reportAs("issuers"),
  });
  const calls = createSigningCalls({
    ...{ call, clock, random, timeoutMs: settings.timeoutMs },
    lifetime: lifetime.signal,
    report: reportAs("signing"),
    onCircuitChange: (state) => events.circuitChanged({ state }),
  });
  return {
    ...signerOf({ settings, follower, calls, clock }),
    health: board.health,
    tasks: [session.task, follower.task],
    close() {
      lifetime.abort();
      transport.close();
    },
  };
}

function pinnedReader(path: string | undefined): (() => ReturnType<typeof readPinnedRoots>) | undefined {
  return path === undefined ? undefined : () => readPinnedRoots(path);
}

/** @throws VaultError `config-invalid` */
async function openTransport(
  settings: VaultSettings,
  events: Pick<VaultEvents, "refreshFailed">,
): Promise<{ readonly transport: VaultTransport; readonly reload: () => Promise<void> }> {
  let used = await readTlsMaterial(settings);
  if (settings.pinnedRootFile !== undefined) await readPinnedRoots(settings.pinnedRootFile);
  const limits = { maxSockets: maxConcurrentSignatures + spareSockets, maxResponseBytes };
  const transport = createVaultTransport(used, limits);

  async function reload(): Promise<void> {
    try {
      const next = await readTlsMaterial(settings);
      if (next.ca === used.ca && next.certificate === used.certificate && next.key === used.key) return;
      used = next;
      transport.useTls(next);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      events.refreshFailed({ reason: "credentials-unreadable", message: error.message });
    }
  }

  return { transport, reload };
}

type Signer = Omit<SigningCa, "health" | "revocationLists">;

function signerOf(parts: {
  readonly settings: VaultSettings;
  readonly follower: MountFollower;
  readonly calls: SigningCalls;
  readonly clock: Clock;
}): Signer {
  const { settings, follower, calls, clock } = parts;
  const reader = createAnswerReader(isSelfSigned);
  const base = settings.issuer === undefined ? settings.pkiMount : `${settings.pkiMount}/issuer/${settings.issuer}`;

  async function sign(request: SigningRequest, signal: AbortSignal): Promise<CertificateChain> {
    signal.throwIfAborted();
    const facts = requireFacts(follower);
    const serving = isForServing(request.template);
    const notAfter = endOf(request.template, limitOf(facts, serving ? facts.servingRole : facts.role, clock.now()));
    if (notAfter <= clock.now())
      throw new CaError("ca-expired", `vault CA can sign until ${notAfter.toISOString()} only`);
    const body = buildSignBody(request, notAfter);
    const path = `${base}/sign/${serving ? settings.servingRole : settings.role}`;
    try {
      const chain = await calls.sign({ path, body }, (answer) => reader.read(answer), signal);
      if (!isBelow(chain, facts.view)) follower.lookSoon();
      return chain;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof VaultError)) throw error;
      // The role or the issuer may be another than when it was read.
      if (!isTransient(error)) follower.lookSoon();
      throw asCaError(error);
    }
  }

  return {
    name: "vault",
    keyIsLocal: false,
    sign,
    notAfterLimit() {
      const facts = follower.facts();
      return facts === undefined ? undefined : limitOf(facts, facts.role, clock.now());
    },
    signingKeyInfo: () => follower.facts()?.view.issuer.publicKeyInfo,
    chain: () => follower.facts()?.view.chain ?? [],
    trustBundle: follower.trustBundle,
  };
}

function requireFacts(follower: MountFollower): MountFacts {
  const facts = follower.facts();
  if (facts === undefined) throw new CaError("ca-not-ready", "vault CA has not read its issuers yet");
  const refusal = follower.refusal();
  if (refusal === undefined) return facts;
  const code = refusal.reason === "issuer-expired" ? "ca-expired" : "signer-refused";
  throw new CaError(code, `vault CA may not sign: ${refusal.detail}`);
}

/** Names other than SPIFFE IDs are a server's. */
function isForServing({ subjectAltNames }: SvidTemplate): boolean {
  return subjectAltNames.some(({ kind }) => kind !== "uri");
}

/** The first end of all that bounds a certificate: the issuers' and the role's. Vault itself holds no `not_after` to the role's maximum. */
function limitOf({ view }: MountFacts, role: RoleRecord | undefined, now: Date): Date {
  const ends = [
    view.notAfterLimit.getTime(),
    role?.maxTtlMs === undefined ? Number.POSITIVE_INFINITY : now.getTime() + role.maxTtlMs,
    role?.notAfter?.getTime() ?? Number.POSITIVE_INFINITY,
  ];
  return new Date(Math.min(...ends));
}

function endOf({ notAfter }: SvidTemplate, limit: Date): Date {
  return notAfter < limit ? notAfter : limit;
}

/** Whether the leaf is of the issuer that we know, and came with the chain that we know. */
function isBelow([leaf, ...above]: CertificateChain, { issuer, chain }: MountView): boolean {
  const { subjectKeyIdentifier: key = nothing } = issuer;
  return (
    Buffer.compare(leaf.issuer, issuer.subject) === 0 &&
    Buffer.compare(leaf.authorityKeyIdentifier ?? key, key) === 0 &&
    above.length === chain.length &&
    above.every(({ der }, index) => Buffer.compare(der, chain[index]?.der ?? nothing) === 0)
  );
}

const nothing = new Uint8Array();

function asCaError(error: VaultError): CaError {
  if (error.code === "overloaded") return new CaError("overloaded", error.message, { cause: error });
  const code = isTransient(error) ? "signer-unavailable" : "signer-refused";
  return new CaError(code, `vault CA: ${error.message}`, { cause: error });
}
