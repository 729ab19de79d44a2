import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isFileMissing } from "@signet/runtime";
import type { VaultObjects } from "./vault-objects.ts";

/** One certificate that Vault says it signed. */
export type VaultSignature = {
  /** The SPIFFE ID that was asked for. */
  readonly spiffeId: string;
  /** Lower-case hexadecimal, without leading zeros of whole bytes. */
  readonly serial: string;
};

/** What Vault itself writes down of the certificates that it signs for workloads. */
export interface SigningLog {
  /** All so far, canaries of the CA server included. */
  signatures(): Promise<readonly VaultSignature[]>;
}

/** Has Vault write an audit log, with the names and serial numbers of this mount in clear. */
export async function openSigningLog(
  objects: Pick<VaultObjects, "write">,
  { mount, directory }: { readonly mount: string; readonly directory: string },
): Promise<SigningLog | undefined> {
  const path = join(directory, "vault-audit.log");
  await objects.write(`sys/mounts/${mount}/tune`, {
    audit_non_hmac_request_keys: ["uri_sans"],
    audit_non_hmac_response_keys: ["serial_number"],
  });
  try {
    await objects.write("sys/audit/signet-demo", { type: "file", options: { file_path: path, mode: "0600" } });
  } catch {
    // OpenBao takes audit devices from its configuration only, and then it has none.
    return undefined;
  }
  return {
    async signatures() {
      const text = await readFile(path, "utf8").catch((error: unknown) => {
        if (isFileMissing(error)) return "";
        throw error;
      });
      return parseSignatures(text, `${mount}/sign/signet`);
    },
  };
}

/** The signatures that an audit log has under `path`; a last line that is not whole yet does not count. */
export function parseSignatures(log: string, path: string): readonly VaultSignature[] {
  const lines = log.split("\n").slice(0, -1);
  return lines.flatMap((line) => {
    const entry = JSON.parse(line) as AuditEntry;
    const serial = entry.response?.data?.serial_number;
    if (entry.type !== "response" || entry.request?.path !== path || serial === undefined) return [];
    const names = entry.request.data?.uri_sans ?? [];
    return [{ spiffeId: [names].flat().join(","), serial: serial.replaceAll(":", "").toLowerCase() }];
  });
}

/** What is read of a line; refusals have no serial number. */
type AuditEntry = {
  readonly type?: string;
  readonly request?: { readonly path?: string; readonly data?: { readonly uri_sans?: string | readonly string[] } };
  readonly response?: { readonly data?: { readonly serial_number?: string } };
};
