import { isIP, isIPv6 } from "node:net";
import type { Clock } from "@signet/runtime";
import { parseSpiffeId } from "@signet/spiffe";
import {
  createCsr,
  generateKeyPair,
  type KeyPair,
  type KeyType,
  type PublicKeyInfo,
  parseCsr,
  type SubjectAltName,
  type SvidTemplate,
} from "@signet/x509";
import { decideLifetime } from "./decide-lifetime.ts";
import { CaError } from "./errors.ts";
import { type IssuedSvid, requireNotAfterLimit, signTemplate } from "./sign-template.ts";
import type { SigningCa } from "./signing-ca.ts";

/** What a server of ours is reached by. At least one name in all; order and repetition do not matter. */
export type ServingCertificateRequest = {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** At least 1000 ms; cut to what the signing CA can vouch for. */
  readonly ttlMs: number;
};

/** What issuing a serving certificate needs. */
export type ServingCertificateDependencies = { readonly signingCa: SigningCa; readonly clock: Clock };

/** A server's chain and key. */
export type ServingCertificate = IssuedSvid & {
  readonly key: KeyPair;
  readonly notAfter: Date;
  /** Half of the time from issuance to `notAfter`: a second attempt has as long as the first. */
  readonly renewAt: Date;
};

/**
 * Returns a certificate and a new key for a server of the CA's own process, named by DNS names and IP addresses only.
 *
 * The key type follows the CA's key: P-384 under P-384, RSA-2048 under RSA, P-256 otherwise. Names are sorted and
 * unique, the subject is empty, and the certificate is checked like an SVID. A CA elsewhere gets a CSR that proves
 * possession of the key and asks for none of these names: one that signs SPIFFE IDs only, or the names of the CSR, refuses,
 * and then the server's certificate has to come from another CA.
 * @throws CaError `serving-name-malformed`, `ca-not-ready`, `ca-expired`, `signing-failed`, `issued-svid-mismatch`, or as
 *   the signing CA says
 * @example
 * ```ts
 * import { issueServingCertificate, type SigningCa } from "@signet/ca";
 * import { systemClock } from "@signet/runtime";
 * export function certificateFor(signingCa: SigningCa, signal: AbortSignal) {
 *   const request = { dnsNames: ["istiod.istio-system.svc"], ipAddresses: ["127.0.0.1"], ttlMs: 86_400_000 };
 *   return issueServingCertificate(request, { signingCa, clock: systemClock }, signal);
 * }
 * ```
 */
export async function issueServingCertificate(
  request: ServingCertificateRequest,
  dependencies: ServingCertificateDependencies,
  signal: AbortSignal,
): Promise<ServingCertificate> {
  const { signingCa, clock } = dependencies;
  const subjectAltNames = parseNames(request);
  const { ttlMs } = request;
  const key = await generateKeyPair(keyTypeFor(signingCa.signingKeyInfo()));
  const now = clock.now();
  const lifetime = decideLifetime({
    requestedSeconds: 0n,
    limits: { defaultTtlMs: ttlMs, maxTtlMs: ttlMs },
    now,
    notAfterLimit: requireNotAfterLimit(signingCa),
  });
  const template: SvidTemplate = { spki: key.spki, subjectAltNames, ...lifetime };
  const csr = parseCsr(createCsr({ key, spiffeId: nobody }));
  const issued = await signTemplate({ template, csr }, { signingCa, at: now, clock }, signal);
  const [{ notAfter }] = issued.chain;
  return { ...issued, key, notAfter, renewAt: new Date((now.getTime() + notAfter.getTime()) / 2) };
}

/** Names of a CSR are never read, and a CSR without any is one that some backends cannot parse. */
const nobody = parseSpiffeId("spiffe://signet.invalid/serving");

function keyTypeFor(ca: PublicKeyInfo | undefined): KeyType {
  if (ca?.kind === "rsa") return "RSA-2048";
  return ca?.kind === "ec" && ca.curve === "P-384" ? "P-384" : "P-256";
}

function parseNames({ dnsNames, ipAddresses }: ServingCertificateRequest): readonly SubjectAltName[] {
  const dns = sortedUnique(dnsNames.map(parseDnsName)).map((value) => ({ kind: "dns", value }) as const);
  const ip = sortedUnique(ipAddresses.map(parseIpAddress)).map((value) => ({ kind: "ip", value }) as const);
  if (dns.length + ip.length === 0) throw new CaError("serving-name-malformed", "serving certificate has no name");
  return [...dns, ...ip];
}

const dnsNamePattern = /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

function parseDnsName(text: string): string {
  const name = text.toLowerCase();
  // An address in the place of a name would be matched by no client (RFC 9525 section 6.1).
  if (name.length > 253 || isIP(name) !== 0 || !dnsNamePattern.test(name)) {
    throw new CaError("serving-name-malformed", `${JSON.stringify(text.slice(0, 253))} is not a DNS name`);
  }
  return name;
}

/** Canonical text (RFC 5952), which is also how the certificate's own address reads back. */
function parseIpAddress(text: string): string {
  if (isIP(text) === 0 || text.includes("%")) {
    throw new CaError("serving-name-malformed", `${JSON.stringify(text.slice(0, 253))} is not an IP address`);
  }
  if (!isIPv6(text)) return text;
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  // A mapped IPv4 address is written as IPv4, as certificates made by Go have it.
  return [high, low].flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]).join(".");
}

function sortedUnique(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}
