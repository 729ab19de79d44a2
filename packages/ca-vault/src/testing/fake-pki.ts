import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "@signet/runtime";
import {
  type Certificate,
  type Csr,
  certificatePem,
  encodePem,
  type KeyPair,
  parseCertificates,
  parseCsr,
  parsePrivateKey,
  randomSerialNumber,
  type SubjectAltName,
  signLeaf,
  verifyChain,
  X509Error,
} from "@signet/x509";
import {
  data,
  errors,
  type FakeAnswer,
  type FakeRequest,
  flagOf,
  listOf,
  noContent,
  notFound,
  secondsOf,
  textOf,
} from "./fake-answer.ts";

type FakeIssuer = {
  readonly id: string;
  readonly certificate: Certificate;
  readonly key: KeyPair | undefined;
  settings: FakeRequest["body"];
};

/** A PKI engine at one mount. */
export interface FakePki {
  /** `path` is relative to the mount. */
  answer(path: string, request: FakeRequest): FakeAnswer;
}

/** Returns an engine without issuers or roles. */
export function createFakePki(clock: Clock): FakePki {
  const issuers = new Map<string, FakeIssuer>();
  const roles = new Map<string, FakeRequest["body"]>();
  let defaultIssuer = "";

  function find(reference: string): FakeIssuer | undefined {
    if (reference === "default") return issuers.get(defaultIssuer);
    return issuers.get(reference) ?? [...issuers.values()].find(({ settings }) => settings.issuer_name === reference);
  }

  function importBundle(pem: string): FakeAnswer {
    const keys = pem.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----/g) ?? [];
    const pairs = keys.map(parsePrivateKey);
    const imported: string[] = [];
    for (const certificate of parseCertificates(pem)) {
      const key = pairs.find(({ spki }) => Buffer.compare(spki, certificate.spki) === 0);
      const id = randomUUID();
      issuers.set(id, { id, certificate, key, settings: {} });
      imported.push(id);
      if (defaultIssuer === "" && key !== undefined) defaultIssuer = id;
    }
    return data({ imported_issuers: imported, imported_keys: keys.map(() => randomUUID()) });
  }

  /** The issuer, then whatever on the mount signed it, and so on. */
  function chainOf(issuer: FakeIssuer): readonly Certificate[] {
    const chain = [issuer.certificate];
    for (let last = issuer.certificate; chain.length < 8; ) {
      const parent = [...issuers.values()].find(
        ({ certificate }) => !chain.includes(certificate) && signed(certificate, last),
      );
      if (parent === undefined) break;
      last = parent.certificate;
      chain.push(last);
    }
    return chain;
  }

  function describeIssuer(issuer: FakeIssuer): FakeAnswer {
    return data({
      issuer_id: issuer.id,
      issuer_name: issuer.settings.issuer_name ?? "",
      key_id: issuer.key === undefined ? "" : issuer.id,
      certificate: certificatePem(issuer.certificate),
      ca_chain: chainOf(issuer).map(certificatePem),
      leaf_not_after_behavior: issuer.settings.leaf_not_after_behavior ?? "err",
      usage: issuer.settings.usage ?? "read-only,issuing-certificates,crl-signing,ocsp-signing",
      revoked: issuer.settings.revoked ?? false,
    });
  }

  function issuerAnswer(reference: string, { method, body }: FakeRequest): FakeAnswer {
    const issuer = find(reference);
    if (issuer === undefined)
      return errors(500, `1 error occurred:\n\t* unable to find PKI issuer for reference: ${reference}\n\n`);
    if (method === "GET") return describeIssuer(issuer);
    if (method === "DELETE") issuers.delete(issuer.id);
    else issuer.settings = { ...issuer.settings, ...body };
    return method === "DELETE" ? noContent : describeIssuer(issuer);
  }

  function roleAnswer(name: string, { method, body }: FakeRequest): FakeAnswer {
    const role = roles.get(name);
    if (method === "POST") roles.set(name, body);
    if (method === "DELETE") roles.delete(name);
    if (method !== "GET") return noContent;
    return role === undefined ? notFound : data(describeRole(role));
  }

  function sign(roleName: string, reference: string | undefined, body: FakeRequest["body"]): FakeAnswer {
    const role = roles.get(roleName);
    if (role === undefined) return errors(400, `unknown role: ${roleName}`);
    const issuer = find(reference ?? textOf(role, "issuer_ref", "default"));
    if (issuer?.key === undefined) return errors(500, "1 error occurred:\n\t* error fetching CA certificate\n\n");
    const csr = readCsr(textOf(body, "csr"));
    if (csr === undefined) return errors(400, "certificate request could not be parsed");
    const names = namesFor(role, body, csr);
    if (typeof names === "string") return errors(400, names);
    const now = clock.now().getTime();
    const wanted = endFor(role, body, now);
    const limit = issuer.certificate.notAfter.getTime();
    const behavior = textOf(issuer.settings, "leaf_not_after_behavior", "err");
    if (wanted > limit && behavior === "err") {
      return errors(
        400,
        `cannot satisfy request, as TTL would result in notAfter of ${new Date(wanted).toISOString()} that is beyond the expiration of the CA certificate`,
      );
    }
    const notAfter = new Date(behavior === "permit" ? wanted : Math.min(wanted, limit));
    const notBefore = new Date(now - (secondsOf(role, "not_before_duration") || 30) * 1000);
    const template = {
      spki: csr.spki,
      subjectAltNames: names,
      notBefore: wholeSeconds(notBefore),
      notAfter: wholeSeconds(notAfter),
    };
    const serialNumber = randomSerialNumber(randomBytes);
    const der = signLeaf({ template, issuer: { certificate: issuer.certificate, key: issuer.key }, serialNumber });
    const chain = chainOf(issuer).map(certificatePem);
    return data({ certificate: encodePem("CERTIFICATE", der), issuing_ca: chain[0], ca_chain: chain });
  }

  return {
    answer(path, request) {
      const [first = "", second = "", third = "", fourth = ""] = path.split("/");
      const { body } = request;
      if (path === "issuers/import/bundle") return importBundle(textOf(body, "pem_bundle"));
      if (path === "issuers") return issuers.size === 0 ? notFound : data({ keys: [...issuers.keys()] });
      if (path === "config/issuers") {
        defaultIssuer = find(textOf(body, "default"))?.id ?? defaultIssuer;
        return data({ default: defaultIssuer });
      }
      if (first === "roles") return roleAnswer(second, request);
      if (first === "sign") return sign(second, undefined, body);
      if (first === "issuer" && third === "sign") return sign(fourth, second, body);
      if (first === "issuer" && third === "revoke")
        return issuerAnswer(second, { ...request, body: { revoked: true } });
      return first === "issuer" && third === "" ? issuerAnswer(second, request) : notFound;
    },
  };
}

function describeRole(role: FakeRequest["body"]): Readonly<Record<string, unknown>> {
  return {
    issuer_ref: textOf(role, "issuer_ref", "default"),
    max_ttl: secondsOf(role, "max_ttl"),
    not_after: textOf(role, "not_after"),
    use_csr_sans: flagOf(role, "use_csr_sans", true),
    use_csr_common_name: flagOf(role, "use_csr_common_name", true),
  };
}

/** The names that a role makes of a request, or why it refuses. */
function namesFor(role: FakeRequest["body"], body: FakeRequest["body"], csr: Csr): readonly SubjectAltName[] | string {
  if (flagOf(role, "require_cn", true) && body.common_name === undefined) return "the common_name field is required";
  if (flagOf(role, "use_csr_sans", true)) {
    // Vault would sign without any name; what we sign with cannot.
    const none = [{ kind: "dns", value: "no-name.invalid" }] as const;
    return csr.requestedSubjectAltNames.length > 0 ? csr.requestedSubjectAltNames : none;
  }
  const uris = listOf(body, "uri_sans");
  const allowed = listOf(role, "allowed_uri_sans").map(globPattern);
  if (uris.some((uri) => !allowed.some((pattern) => pattern.test(uri)))) {
    return "URI Subject Alternative Names were provided via the API which are not valid for this role";
  }
  const dnsNames = listOf(body, "alt_names");
  const domains = flagOf(role, "allow_bare_domains") ? listOf(role, "allowed_domains") : [];
  const stranger = dnsNames.find((name) => name !== "localhost" && !domains.includes(name));
  if (stranger !== undefined) return `subject alternate name ${stranger} not allowed by this role`;
  const ips = listOf(body, "ip_sans");
  if (ips.length > 0 && !flagOf(role, "allow_ip_sans", true))
    return "IP Subject Alternative Names are not allowed in this role";
  return [
    ...uris.map((value) => ({ kind: "uri", value }) as const),
    ...dnsNames.map((value) => ({ kind: "dns", value }) as const),
    ...ips.map((value) => ({ kind: "ip", value }) as const),
  ];
}

/** As in Vault 1.21, the role's maximum bounds a time to live and no `not_after`. */
function endFor(role: FakeRequest["body"], body: FakeRequest["body"], now: number): number {
  const fixed = textOf(role, "not_after") || textOf(body, "not_after");
  if (fixed !== "") return Date.parse(fixed);
  const most = secondsOf(role, "max_ttl") || 2_764_800;
  return now + Math.min(secondsOf(body, "ttl") || secondsOf(role, "ttl") || most, most) * 1000;
}

function readCsr(pem: string): Csr | undefined {
  try {
    return parseCsr(pem);
  } catch (error) {
    if (error instanceof X509Error) return undefined;
    throw error;
  }
}

function signed(parent: Certificate, child: Certificate): boolean {
  return verifyChain({ chain: [child], roots: [parent], at: child.notBefore }).kind === "verified";
}

function globPattern(glob: string): RegExp {
  return new RegExp(`^${glob.replaceAll(/[.?+^$()[\]{}|\\]/g, "\\$&").replaceAll("*", ".*")}$`);
}

function wholeSeconds(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / 1000) * 1000);
}
