import type { Certificate, CertificateChain } from "@signet/x509";

/** The same chain with a leaf that reads differently. */
export function withLeaf([leaf, ...above]: CertificateChain, change: Partial<Certificate>): CertificateChain {
  const changed = new Proxy(leaf, {
    get: (target, name) =>
      Object.hasOwn(change, name) ? Reflect.get(change, name) : Reflect.get(target, name, target),
  });
  return [changed, ...above];
}

/** DER Name with these attributes, each in a set of its own. */
export function certificateSubject(...attributes: readonly (readonly ["CN" | "O", string])[]): Uint8Array {
  const sets = attributes.map(([type, value]) => {
    const text = Buffer.from(value, "utf8");
    const oid = Buffer.of(0x06, 3, 0x55, 0x04, type === "CN" ? 3 : 10);
    return tlv(0x31, tlv(0x30, Buffer.concat([oid, tlv(0x0c, text)])));
  });
  return tlv(0x30, Buffer.concat(sets));
}

function tlv(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag, content.length), content]);
}
