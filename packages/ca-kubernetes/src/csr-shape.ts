import { CaError } from "@signet/ca";
import type { Csr } from "@signet/x509";

/**
 * Checks that a CSR says nothing that a signer could copy but a subject alternative name: a signer of Kubernetes takes
 * subject and extensions from the CSR, and a subject such as `O=system:masters` can be worth a cluster.
 *
 * The subject is empty, or one empty organization as istio-agent writes it; no extension but the subject alternative name is
 * asked for, and that one is.
 * @throws CaError `csr-malformed`
 */
export function checkCsrShape({ tbs }: Csr): void {
  const [, subject, , attributes] = childrenOf(tbs, 0);
  if (subject === undefined || attributes === undefined) throw refused("is not a certification request");
  if (!allowedSubjects.has(tbs.subarray(subject.start, subject.end).toHex())) {
    throw refused("has a subject, which a signer would copy");
  }
  const extensions = childrenOf(tbs, attributes.start).flatMap((attribute) => extensionsOf(tbs, attribute));
  if (extensions.length === 0) throw refused("asks for no subject alternative name");
  if (extensions.length > 1 || extensions[0] !== subjectAltName) {
    throw refused("asks for more than a subject alternative name");
  }
}

/** DER of an empty Name, and of one empty organization as PrintableString and as UTF8String. */
const allowedSubjects = new Set(["3000", "300b31093007060355040a1300", "300b31093007060355040a0c00"]);

/** DER of 1.2.840.113549.1.9.14 and of 2.5.29.17. */
const extensionRequest = "06092a864886f70d01090e";
const subjectAltName = "0603551d11";

/** The identifiers of what an attribute asks for. */
function extensionsOf(der: Uint8Array, attribute: Element): readonly string[] {
  const [type, values] = childrenOf(der, attribute.start);
  if (type === undefined || values === undefined || hexOf(der, type) !== extensionRequest) {
    throw refused("has an attribute other than a request for extensions");
  }
  return childrenOf(der, values.start)
    .flatMap((list) => childrenOf(der, list.start))
    .map((extension) => {
      const [id] = childrenOf(der, extension.start);
      return id === undefined ? "" : hexOf(der, id);
    });
}

/** Where one DER element begins and ends, header included. */
type Element = { readonly start: number; readonly end: number };

/** The elements in the constructed element at `at`. The CSR was parsed as strict DER before, so lengths are sound. */
function childrenOf(der: Uint8Array, at: number): readonly Element[] {
  const parent = elementAt(der, at);
  const children: Element[] = [];
  for (let start = parent.contentStart; start < parent.end; ) {
    const { end } = elementAt(der, start);
    children.push({ start, end });
    start = end;
  }
  return children;
}

function elementAt(der: Uint8Array, start: number): Element & { readonly contentStart: number } {
  const first = der[start + 1] ?? 0;
  const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
  let length = lengthOctets === 0 ? first : 0;
  for (let index = 0; index < lengthOctets; index++) length = length * 256 + (der[start + 2 + index] ?? 0);
  const contentStart = start + 2 + lengthOctets;
  const end = contentStart + length;
  if (end > der.length) throw refused("is not a certification request");
  return { start, contentStart, end };
}

function hexOf(der: Uint8Array, { start, end }: Element): string {
  return der.subarray(start, end).toHex();
}

function refused(problem: string): CaError {
  return new CaError("csr-malformed", `CSR ${problem}`);
}
