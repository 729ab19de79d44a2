import { createSource, type Publisher, type Source } from "@signet/runtime";
import {
  type Certificate,
  type CertificateChain,
  type PublicKeyInfo,
  serialNumberHex,
  type TrustBundle,
} from "@signet/x509";
import { CaError } from "../errors.ts";
import type { SigningCa, SigningCaHealth, SigningRequest } from "../signing-ca.ts";
import { type CaFiles, type CaMaterial, openCaMaterial } from "./ca-material.ts";
import { revocationProblem } from "./ca-material-revocation.ts";
import { type CaMaterialChange, compareCaMaterial, successionProblem } from "./ca-material-succession.ts";
import { createLocalSigningCa, type LocalSigningDependencies } from "./local-signing-ca.ts";

/** What became of a set of files that was offered. */
export type ReloadOutcome =
  | { readonly kind: "unchanged" }
  | { readonly kind: "adopted"; readonly rootsChanged: boolean }
  | { readonly kind: "refused"; readonly error: CaError };

/** A set that signs from now on. */
export type CaAdoptedEvent = {
  readonly signingCa: string;
  /** Of the certificate that signs now, as `serialNumberHex` writes it. */
  readonly serialNumber: string;
  readonly notAfterLimit: Date;
  readonly rootCount: number;
} & CaMaterialChange;

/** A set that was not taken; the one before goes on signing until `notAfterLimit`. */
export type CaRefusedEvent = {
  readonly signingCa: string;
  readonly error: CaError;
  readonly notAfterLimit: Date;
};

/** What a reloading CA reports as it happens; must not throw. */
export interface ReloadEvents {
  adopted(event: CaAdoptedEvent): void;
  /** Once for each refused set and reason, however often the same is offered again. */
  refused(event: CaRefusedEvent): void;
}

/** A signing CA whose files may be replaced while it signs. */
export interface ReloadingCa extends SigningCa {
  readonly health: Source<SigningCaHealth>;
  /** `ca-crl.pem` as distributed; "" once it has been withdrawn; no value when there never was one. */
  readonly revocationLists: Source<string>;
  /** Takes the files over, if they hold a good set that follows on the present one; never throws for a bad set. */
  offer(files: CaFiles): ReloadOutcome;
  /** Takes note that there is no set to offer, say because files are missing; the present one goes on, and health and events say so. */
  refuse(error: CaError): void;
}

/** Which CA it is, and the files it starts with. */
export type ReloadingCaOptions = {
  readonly name: "plugged-in" | "self-signed";
  readonly initial: CaFiles;
};

/** What a reloading CA needs. */
export type ReloadingCaDependencies = LocalSigningDependencies & { readonly events: ReloadEvents };

/**
 * Returns a signing CA that follows its files: every set that is offered is verified whole before it signs, and a bad
 * one is refused whole while the one before goes on.
 *
 * Whether a set is another is judged by its certificates, its key and its revocation lists, not by its bytes: comments,
 * line ends and the order of the roots change nothing, and the text that was distributed stays. A call in flight
 * ends with the set that it began with. `trustBundle` publishes only when the roots have changed.
 *
 * Peers learn of new roots with their next certificate, so roots are added first and removed last: a set is refused
 * with `ca-roots-replaced` when it neither keeps all present roots nor adds none, when what it signs would lead to no
 * root that peers have by now, or when it would leave what the present set signed without a root. A renewed root of the
 * same name and key is the same root. After a restart the files are taken as they are.
 * @throws CaError `ca-material-invalid` for the initial files
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { type CaFiles, createReloadingCa, type ReloadEvents } from "@signet/ca";
 * import { systemClock } from "@signet/runtime";
 * export function follow(initial: CaFiles, later: CaFiles, events: ReloadEvents) {
 *   const dependencies = { clock: systemClock, randomBytes, events };
 *   const signingCa = createReloadingCa({ name: "plugged-in", initial }, dependencies);
 *   return signingCa.offer(later).kind; // "unchanged", "adopted" or "refused"
 * }
 * ```
 */
export function createReloadingCa(options: ReloadingCaOptions, dependencies: ReloadingCaDependencies): ReloadingCa {
  return new FollowedCa(options, dependencies);
}

/** A set that signs, and the text it was read from. */
type ActiveSet = { readonly files: CaFiles; readonly material: CaMaterial; readonly signingCa: SigningCa };

/** A set that was not taken; without files there was none to be read. */
type RefusedSet = { readonly files: CaFiles | undefined; readonly error: CaError };

class FollowedCa implements ReloadingCa {
  readonly name: ReloadingCaOptions["name"];
  readonly keyIsLocal = true;
  readonly trustBundle: Publisher<TrustBundle>;
  readonly revocationLists: Publisher<string>;
  readonly health: Source<SigningCaHealth>;
  readonly #health: Publisher<SigningCaHealth>;
  readonly #dependencies: ReloadingCaDependencies;
  #active: ActiveSet;
  #refused: RefusedSet | undefined;

  constructor({ name, initial }: ReloadingCaOptions, dependencies: ReloadingCaDependencies) {
    this.name = name;
    this.#dependencies = dependencies;
    this.#active = this.#activate(initial, openCaMaterial(initial, dependencies.clock.now()));
    this.trustBundle = createSource(this.#active.material.trustBundle);
    this.revocationLists = createSource(this.#active.material.revocation?.pem);
    this.#health = createSource(this.#judgeHealth());
    this.health = {
      current: () => this.#refreshHealth(),
      changes: (signal) => this.#health.changes(signal),
    };
  }

  /** The set in force when the call comes in signs, whatever is offered until it is done. */
  sign(request: SigningRequest, signal: AbortSignal): Promise<CertificateChain> {
    return this.#active.signingCa.sign(request, signal);
  }

  notAfterLimit(): Date | undefined {
    return this.#active.signingCa.notAfterLimit();
  }

  signingKeyInfo(): PublicKeyInfo | undefined {
    return this.#active.signingCa.signingKeyInfo();
  }

  chain(): readonly Certificate[] {
    return this.#active.signingCa.chain();
  }

  offer(files: CaFiles): ReloadOutcome {
    const outcome = this.#judge(files);
    if (outcome.kind !== "refused") this.#refused = undefined;
    this.#refreshHealth();
    return outcome;
  }

  refuse(error: CaError): void {
    this.#refuse(undefined, error);
    this.#refreshHealth();
  }

  #judge(files: CaFiles): ReloadOutcome {
    const { material: current } = this.#active;
    if (sameText(files, this.#active.files)) return { kind: "unchanged" };
    const at = this.#dependencies.clock.now();
    const opened = open(files, at);
    if (opened instanceof CaError) return this.#refuse(files, opened);
    const change = compareCaMaterial(current, opened);
    if (!change.signingChanged && !change.rootsChanged && !change.revocationListsChanged) return { kind: "unchanged" };
    const problem = successionProblem(current, opened, at);
    return problem === undefined ? this.#adopt(files, opened, change) : this.#refuse(files, problem);
  }

  #adopt(files: CaFiles, material: CaMaterial, change: CaMaterialChange): ReloadOutcome {
    this.#active = this.#activate(files, material);
    // Else what was published stays, the very object: readers compare with ===.
    if (change.rootsChanged) this.trustBundle.publish(material.trustBundle);
    if (change.revocationListsChanged) this.revocationLists.publish(material.revocation?.pem ?? "");
    this.#dependencies.events.adopted({
      signingCa: this.name,
      serialNumber: serialNumberHex(material.certificate),
      notAfterLimit: material.notAfterLimit,
      rootCount: material.trustBundle.authorities.length,
      ...change,
    });
    return { kind: "adopted", rootsChanged: change.rootsChanged };
  }

  #refuse(files: CaFiles | undefined, error: CaError): ReloadOutcome {
    const before = this.#refused;
    this.#refused = { files, error };
    const isNews = before === undefined || before.error.message !== error.message || !sameText(files, before.files);
    const { notAfterLimit } = this.#active.material;
    if (isNews) this.#dependencies.events.refused({ signingCa: this.name, error, notAfterLimit });
    return { kind: "refused", error };
  }

  #activate(files: CaFiles, material: CaMaterial): ActiveSet {
    return { files, material, signingCa: createLocalSigningCa(this.name, material, this.#dependencies.randomBytes) };
  }

  /** The state now, published when it is another: time passes without anybody saying so. */
  #refreshHealth(): SigningCaHealth {
    const health = this.#judgeHealth();
    const before = this.#health.current();
    if (health.state !== before?.state || health.reason !== before.reason) this.#health.publish(health);
    return health;
  }

  #judgeHealth(): SigningCaHealth {
    if (this.#dependencies.clock.now() >= this.#active.material.notAfterLimit) {
      return { state: "failing", reason: "the CA has expired" };
    }
    if (this.#refused?.error.code === "ca-roots-replaced") {
      return { state: "degraded", reason: "new CA files were refused: they replace roots" };
    }
    if (this.#refused !== undefined) return { state: "degraded", reason: "new CA files were refused" };
    const { revocation } = this.#active.material;
    const problem =
      revocation === undefined ? undefined : revocationProblem(revocation, this.#dependencies.clock.now());
    return problem === undefined ? { state: "good" } : { state: "degraded", reason: problem };
  }
}

function open(files: CaFiles, at: Date): CaMaterial | CaError {
  try {
    return openCaMaterial(files, at);
  } catch (error) {
    if (error instanceof CaError) return error;
    throw error;
  }
}

function sameText(a: CaFiles | undefined, b: CaFiles | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.certificatePem === b.certificatePem &&
    a.privateKeyPem === b.privateKeyPem &&
    a.chainPem === b.chainPem &&
    a.rootPem === b.rootPem &&
    (a.crlPem ?? "") === (b.crlPem ?? "")
  );
}
