import { type DerValue, unsignedInteger } from "./der/der-writer.ts";
import { X509Error } from "./errors.ts";

const serialNumberBytes = 16;

/** Octets of the longest serial number that stays within 20 octets with a sign octet (RFC 5280 section 4.1.2.2). */
const maxSerialNumberBytes = 19;

/**
 * Returns 16 random octets that are not all zero: an unsigned 128-bit serial number, as Istio's.
 * @throws X509Error `serial-number-invalid` if `randomBytes` returns another number of octets, or nothing but zeros
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { randomSerialNumber } from "@signet/x509";
 * const serialNumber = randomSerialNumber(randomBytes);
 * ```
 */
export function randomSerialNumber(randomBytes: (size: number) => Uint8Array): Uint8Array {
  const octets = randomBytes(serialNumberBytes);
  if (octets.length !== serialNumberBytes || octets.every((octet) => octet === 0)) {
    throw new X509Error("serial-number-invalid", `random source did not return ${serialNumberBytes} random bytes`);
  }
  return octets;
}

/**
 * Returns the INTEGER of a serial number given as unsigned octets.
 * @throws X509Error `serial-number-invalid` if it is zero or longer than 19 octets
 */
export function serialNumberInteger(octets: Uint8Array): DerValue {
  if (octets.length > maxSerialNumberBytes || octets.every((octet) => octet === 0)) {
    throw new X509Error("serial-number-invalid", `serial number of ${octets.length} bytes is zero or too long`);
  }
  return unsignedInteger(octets);
}
