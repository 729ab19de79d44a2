import { isIP } from "node:net";
import { CaError, type SigningRequest } from "@signet/ca";
import { parseSpiffeId, SpiffeError } from "@signet/spiffe";
import { type Certificate, type CertificateChain, encodePem, type SubjectAltName } from "@signet/x509";
import { answerFields } from "./answer-fields.ts";
import { VaultError } from "./errors.ts";
import { parseChain } from "./mount-records.ts";

/** The body of a call of `sign`: names and end from the template, the key from the CSR, and nothing else. */
export type SignBody = Readonly<Record<string, unknown>>;

/**
 * Returns what to ask Vault for.
 *
 * No common name is ever asked for, and none is taken from the CSR by a role as docs/vault.md has it. `notAfter` is the
 * end to ask for, already within what the issuer and the role allow.
 * @throws CaError `signing-failed` without a CSR over the template's key, or for a name that Vault might read as several
 */
export function buildSignBody({ template, csr }: SigningRequest, notAfter: Date): SignBody {
  if (csr === undefined) throw cannotSign("Vault signs nothing without a CSR");
  if (Buffer.compare(csr.spki, template.spki) !== 0) throw cannotSign("CSR is for another key than the template");
  const names = template.subjectAltNames.map(checkName);
  const uris = valuesOf(names, "uri");
  const dnsNames = valuesOf(names, "dns");
  const ips = valuesOf(names, "ip");
  return {
    csr: encodePem("CERTIFICATE REQUEST", csr.der),
    ...(uris.length === 0 ? {} : { uri_sans: uris }),
    // The one list that Vault knows as a text only; none of these names can hold a comma.
    ...(dnsNames.length === 0 ? {} : { alt_names: dnsNames.join(",") }),
    ...(ips.length === 0 ? {} : { ip_sans: ips }),
    // Not a time to live, which would begin when Vault, by its own clock, comes round to it.
    not_after: `${notAfter.toISOString().slice(0, 19)}Z`,
    exclude_cn_from_sans: true,
    format: "pem",
  };
}

type PlainName = Extract<SubjectAltName, { readonly value: string }>;

/** Vault splits lists at commas and trims their entries; none of these names has either. */
function checkName(name: SubjectAltName): PlainName {
  switch (name.kind) {
    case "uri":
      return isSpiffeId(name.value) ? name : refuseName(name.kind);
    case "dns":
      return /^[A-Za-z0-9*_.-]{1,253}$/.test(name.value) ? name : refuseName(name.kind);
    case "ip":
      return isIP(name.value) !== 0 ? name : refuseName(name.kind);
    case "other":
      return refuseName(name.kind);
  }
}

function isSpiffeId(text: string): boolean {
  try {
    return parseSpiffeId(text) === text;
  } catch (error) {
    if (error instanceof SpiffeError) return false;
    throw error;
  }
}

function refuseName(kind: string): never {
  throw cannotSign(`template has a name of kind ${kind} that Vault might not take for one`);
}

function valuesOf(names: readonly PlainName[], kind: PlainName["kind"]): readonly string[] {
  return names.filter((name) => name.kind === kind).map(({ value }) => value);
}

function cannotSign(message: string): CaError {
  return new CaError("signing-failed", message);
}

/** Reads the answers to `sign`. */
export interface AnswerReader {
  /**
   * Returns the leaf, and the certificates above it without self-signed ones.
   * @throws VaultError `response-malformed`
   */
  read(body: unknown): CertificateChain;
}

/**
 * Returns a reader that parses what stands above the leaf once, and again when Vault answers with something else.
 *
 * `isRoot` says which certificates are not sent, since peers have them already.
 */
export function createAnswerReader(isRoot: (certificate: Certificate) => boolean): AnswerReader {
  let known: { readonly text: string; readonly chain: readonly Certificate[] } | undefined;

  function above(text: string): readonly Certificate[] {
    if (known?.text !== text) known = { text, chain: parseChain(text).filter((certificate) => !isRoot(certificate)) };
    return known.chain;
  }

  return {
    read(body) {
      const data = answerFields(body, "data");
      const [leaf, ...more] = parseChain(data.text("certificate"));
      if (leaf === undefined || more.length > 0) {
        throw new VaultError("response-malformed", "answer of Vault does not hold exactly one certificate");
      }
      const chain = data.texts("ca_chain");
      return [leaf, ...above(chain.length > 0 ? chain.join("\n") : data.text("issuing_ca"))];
    },
  };
}
