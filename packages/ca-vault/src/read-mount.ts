import type { TrustBundle } from "@signet/x509";
import { VaultError, type VaultErrorCode } from "./errors.ts";
import type { IssuerRecord, MountReader, RoleRecord } from "./mount-records.ts";

/** What to read of a mount. */
export type MountQuestion = {
  readonly reader: MountReader;
  readonly role: string;
  readonly servingRole: string;
  /** Name or id; undefined for the one that the role names. */
  readonly issuer: string | undefined;
  /** The pinned roots as their file says now; undefined where none are pinned. */
  readonly readPinned: (() => Promise<TrustBundle>) | undefined;
};

/** What a mount says about itself. A role that the policy does not let us read is undefined. */
export type MountReading = {
  readonly role: RoleRecord | undefined;
  readonly servingRole: RoleRecord | undefined;
  readonly signing: IssuerRecord;
  /** Empty where roots are pinned. */
  readonly issuers: readonly IssuerRecord[];
  readonly pinned: TrustBundle | undefined;
};

/**
 * Reads the roles, the issuer that signs and, where no roots are pinned, all other issuers.
 * @throws VaultError `role-missing`, `issuer-missing`, `pinned-root-unusable`, or whatever keeps Vault from answering
 */
export async function readMount(question: MountQuestion, signal: AbortSignal): Promise<MountReading> {
  const { reader, readPinned } = question;
  const pinned = readPinned === undefined ? undefined : await readPinned().catch(renamed("pinned-root-unusable"));
  const role = await readRole(reader, question.role, signal);
  const servingRole =
    question.servingRole === question.role ? role : await readRole(reader, question.servingRole, signal);
  const reference = question.issuer ?? role?.issuer ?? "default";
  const signing = await reader.issuer(reference, signal).catch((error: unknown) => {
    throw isMissingIssuer(error) ? new VaultError("issuer-missing", error.message, { cause: error }) : error;
  });
  const issuers: IssuerRecord[] = [];
  if (pinned === undefined) {
    for (const id of await reader.issuerIds(signal)) {
      // One that was deleted since the list was made is as good as never seen.
      const record = id === signing.id ? signing : await reader.issuer(id, signal).catch(undefinedIfMissing);
      if (record !== undefined) issuers.push(record);
    }
  }
  return { role, servingRole, signing, issuers, pinned };
}

async function readRole(reader: MountReader, name: string, signal: AbortSignal): Promise<RoleRecord | undefined> {
  try {
    return await reader.role(name, signal);
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    if (error.code === "permission-denied") return undefined;
    if (error.code === "not-found") throw new VaultError("role-missing", `there is no role ${name}`, { cause: error });
    throw error;
  }
}

/** Vault has an internal error for it, and says what it is in words only. */
function isMissingIssuer(error: unknown): error is VaultError {
  if (!(error instanceof VaultError)) return false;
  return error.code === "not-found" || /unable to (?:find|resolve) .*issuer|no default issuer/i.test(error.message);
}

function undefinedIfMissing(error: unknown): undefined {
  if (!isMissingIssuer(error)) throw error;
  return undefined;
}

function renamed(code: VaultErrorCode): (error: unknown) => never {
  return (error) => {
    throw error instanceof VaultError ? new VaultError(code, error.message, { cause: error }) : error;
  };
}
