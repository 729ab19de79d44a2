/** Identifier octets of the universal types that certificates and CSRs are made of (X.690 section 8.1.2). */
export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of `[number]` holding a primitive value, such as an IMPLICIT string. */
export function contextPrimitive(number: number): number {
  return 0x80 | number;
}

/** Identifier octet of `[number]` holding other elements. */
export function contextConstructed(number: number): number {
  return 0xa0 | number;
}
