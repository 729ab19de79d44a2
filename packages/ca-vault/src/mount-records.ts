import { type Certificate, parseCertificates, X509Error } from "@signet/x509";
import { answerFields } from "./answer-fields.ts";
import type { AuthorizedCalls } from "./authorized-calls.ts";
import { VaultError } from "./errors.ts";

/** An issuer of a PKI mount, as Vault describes it. */
export type IssuerRecord = {
  readonly id: string;
  readonly certificate: Certificate;
  /** The issuer, then what Vault knows to be above it, roots included. */
  readonly chain: readonly Certificate[];
  readonly revoked: boolean;
  readonly signs: boolean;
};

/** What of a PKI role matters here. */
export type RoleRecord = {
  readonly issuer: string;
  /** Undefined where the role sets none. */
  readonly maxTtlMs: number | undefined;
  /** Set where the role gives every certificate the same end. */
  readonly notAfter: Date | undefined;
  /** Whether names are taken from the CSR, so that what we ask for does not count. */
  readonly usesCsrNames: boolean;
};

/** Most issuers of one mount. */
export const maxIssuers = 100;

/** Largest text of certificates of one issuer, in characters. */
const maxPemCharacters = 262_144;

/** Reads what a PKI mount says about itself. */
export interface MountReader {
  /** @throws VaultError */
  role(name: string, signal: AbortSignal): Promise<RoleRecord>;
  /** @throws VaultError */
  issuer(reference: string, signal: AbortSignal): Promise<IssuerRecord>;
  /** Ids, in Vault's order; at most 100. @throws VaultError */
  issuerIds(signal: AbortSignal): Promise<readonly string[]>;
}

/** Returns a reader of the PKI engine at `mount`. */
export function createMountReader(mount: string, call: AuthorizedCalls): MountReader {
  return {
    async role(name, signal) {
      return parseRole(await call({ kind: "read", path: `${mount}/roles/${name}`, operation: "role" }, signal));
    },
    async issuer(reference, signal) {
      const body = await call({ kind: "read", path: `${mount}/issuer/${reference}`, operation: "issuers" }, signal);
      return parseIssuer(body);
    },
    async issuerIds(signal) {
      const body = await call({ kind: "list", path: `${mount}/issuers`, operation: "issuers" }, signal);
      const ids = answerFields(body, "data").texts("keys");
      if (ids.length > maxIssuers) throw malformed(`mount has ${ids.length} issuers, more than ${maxIssuers}`);
      const odd = ids.find((id) => !isReference(id));
      if (odd !== undefined) throw malformed("id of an issuer has other characters than letters, digits and dashes");
      return ids;
    },
  };
}

/** Whether a text can be put into a path as one segment. */
function isReference(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(text);
}

function parseRole(body: unknown): RoleRecord {
  const data = answerFields(body, "data");
  const issuer = data.has("issuer_ref") ? data.text("issuer_ref") : "default";
  const maxTtl = data.has("max_ttl") ? data.seconds("max_ttl") : 0;
  const notAfter = data.has("not_after") ? data.text("not_after") : "";
  const instant = notAfter === "" ? undefined : new Date(notAfter);
  if (issuer !== "" && !isReference(issuer)) throw malformed("role names an issuer in a way that is not a name");
  if (instant !== undefined && Number.isNaN(instant.getTime()))
    throw malformed("not_after of the role is not an instant");
  return {
    issuer: issuer || "default",
    maxTtlMs: maxTtl === 0 ? undefined : maxTtl * 1000,
    notAfter: instant,
    usesCsrNames: data.flag("use_csr_sans") || data.flag("use_csr_common_name"),
  };
}

function parseIssuer(body: unknown): IssuerRecord {
  const data = answerFields(body, "data");
  const id = data.text("issuer_id");
  const [certificate] = parseChain(data.text("certificate"));
  if (certificate === undefined) throw malformed("issuer has no certificate");
  const above = parseChain(data.texts("ca_chain").join("\n"));
  const usage = data.has("usage") ? data.text("usage") : "";
  return {
    id,
    certificate,
    chain: above.length > 0 ? above : [certificate],
    revoked: data.flag("revoked"),
    signs: usage === "" || usage.split(",").includes("issuing-certificates"),
  };
}

/**
 * Returns the certificates of a text of Vault's, none for an empty one.
 * @throws VaultError `response-malformed`
 */
export function parseChain(pem: string): readonly Certificate[] {
  if (pem.trim() === "") return [];
  if (pem.length > maxPemCharacters) throw malformed(`certificates of ${pem.length} characters`);
  try {
    return parseCertificates(pem);
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    throw new VaultError("response-malformed", `certificate of Vault cannot be read: ${cause.message}`, { cause });
  }
}

function malformed(what: string): VaultError {
  return new VaultError("response-malformed", `answer of Vault is not as expected: ${what}`);
}
