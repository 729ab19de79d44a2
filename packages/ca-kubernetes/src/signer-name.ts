import { CaError } from "@signet/ca";

const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const subdomain = new RegExp(`^${label}(\\.${label})*$`);
const maxDomainLength = 253;
const maxPathLength = 253;

/** Whether `domain` may stand before the slash of a signer's name: a DNS name of two labels or more. */
export function checkSignerDomain(domain: string): boolean {
  return domain.length <= maxDomainLength && domain.includes(".") && subdomain.test(domain);
}

/** Whether `name` is a signer's name as Kubernetes has them: a domain, one slash, a DNS name. */
export function checkSignerName(name: string): boolean {
  const [domain = "", path = "", ...more] = name.split("/");
  return more.length === 0 && checkSignerDomain(domain) && checkSignerPath(path);
}

/**
 * Returns the name of the signer that a caller asks for with its `CertSigner`, as istiod makes it.
 * @throws CaError `signer-refused` when there is no domain for such names, or the result would not be a signer's name
 */
export function signerNameOf(certSigner: string, domain: string | undefined): string {
  if (domain === undefined) {
    throw new CaError("signer-refused", "caller names a signer, and there is no domain that its name belongs to");
  }
  if (!checkSignerPath(certSigner)) throw new CaError("signer-refused", "caller names a signer that cannot exist");
  return `${domain}/${certSigner}`;
}

function checkSignerPath(path: string): boolean {
  return path.length <= maxPathLength && subdomain.test(path);
}
