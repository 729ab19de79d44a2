import { type ObjectIdentifier, objectIdentifier } from "./der/object-identifier.ts";

/** Purposes a certificate can be limited to (RFC 5280 section 4.2.1.12). */
export const purposeId: Readonly<Record<"any" | "serverAuth" | "clientAuth", ObjectIdentifier>> = {
  any: objectIdentifier("2.5.29.37.0"),
  serverAuth: objectIdentifier("1.3.6.1.5.5.7.3.1"),
  clientAuth: objectIdentifier("1.3.6.1.5.5.7.3.2"),
};

export const knownPurposes: readonly ObjectIdentifier[] = Object.values(purposeId);
