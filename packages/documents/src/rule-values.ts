import { isIP } from "node:net";

/** Most values of one `serviceAccounts`. */
export const maxServiceAccounts = 16;
const maxServiceAccountLength = 320;

/** Reads one value of a list that is called `name` in what is said of it; throws an error with Istio's words. */
export type ValueCheck = (name: string) => (value: string) => string;

/** Any text but none at all. */
export const anyValue: ValueCheck = (name) => (value) => {
  if (value === "") throw new Error(`empty value not allowed, found in ${name}`);
  return value;
};

/** An address or a range of IPv4 or IPv6. Stricter than Istio about zones: Envoy refuses a listener with one. */
export const ipBlock: ValueCheck = (name) => (value) => {
  anyValue(name)(value);
  const [address = "", length, more] = value.split("/");
  const family = value.includes("%") ? 0 : isIP(address);
  if (length === undefined) {
    if (family === 0) throw new Error(`bad IP address (${printable(value)})`);
  } else if (family === 0 || more !== undefined || !isPrefixLength(length, family === 4 ? 32 : 128)) {
    throw new Error(`bad CIDR range (${printable(value)}): an address, a slash and the length of a prefix are wanted`);
  }
  return value;
};

/** A port in decimals. */
export const port: ValueCheck = (name) => (value) => {
  anyValue(name)(value);
  if (!/^[0-9]+$/.test(value) || Number(value) > 65_535) {
    throw new Error(`bad port (${printable(value)}): a port is a number from 0 to 65535`);
  }
  return value;
};

/** `serviceAccount` or `namespace/serviceAccount`. */
export const serviceAccount: ValueCheck = (name) => (value) => {
  anyValue(name)(value);
  const found = `found ${JSON.stringify(value.slice(0, 200))} in ${name}`;
  if (value.includes("*")) throw new Error(`wildcard not allowed, found in ${name}`);
  const parts = value.split("/");
  if (parts.length > 2) throw new Error(`expected format 'serviceAccount' or 'namespace/serviceAccount', ${found}`);
  if (Buffer.byteLength(value) > maxServiceAccountLength) {
    throw new Error(`value cannot exceed ${maxServiceAccountLength} characters, ${found}`);
  }
  if (parts.includes("")) {
    const part = parts[0] === "" ? "namespace" : "serviceAccount";
    throw new Error(`expected format 'serviceAccount' or 'namespace/serviceAccount', found empty ${part} ${found}`);
  }
  return value;
};

/** A value with at most one star, at an end. */
export const wildcard: ValueCheck = (name) => (value) => {
  anyValue(name)(value);
  const found = `found in ${name}: ${JSON.stringify(value.slice(0, 200))}`;
  const first = value.indexOf("*");
  if (value.indexOf("*", first + 1) > first) throw new Error(`at most one wildcard is allowed, ${found}`);
  if (first > 0 && first < value.length - 1) {
    throw new Error(`wildcard is only allowed at the start or end, ${found}`);
  }
  return value;
};

/** A trust domain, or a part of one and a star. */
export const trustDomain: ValueCheck = (name) => (value) => {
  wildcard(name)(value);
  if (value.includes("/")) {
    throw new Error(`trust domain must not contain '/', found in ${name}: ${JSON.stringify(value.slice(0, 200))}`);
  }
  return value;
};

/** As Istio calls the list of a field: its name with a capital. */
export function listName(field: string): string {
  return field.slice(0, 1).toUpperCase() + field.slice(1);
}

/** A user's text within a sentence: cut, and with characters that terminals obey escaped. */
export function printable(text: string): string {
  return JSON.stringify(text.slice(0, 200)).slice(1, -1);
}

function isPrefixLength(text: string, longest: number): boolean {
  return /^(0|[1-9][0-9]{0,2})$/.test(text) && Number(text) <= longest;
}
