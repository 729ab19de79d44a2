import { type HostPort, parseHostPort } from "@signet/runtime";

/**
 * A number from 0 to 1, in decimal.
 * @throws {Error} that says what is wrong, for a message that names the setting
 */
export function parseShare(text: string): number {
  const share = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || !(share >= 0 && share <= 1)) throw new Error("not a number from 0 to 1");
  return share;
}

/**
 * `host:port` and more of them, each after a comma; a port of 0 is refused.
 * @throws {Error} that says what is wrong, for a message that names the setting
 */
export function parseAddresses(text: string): readonly HostPort[] {
  const addresses = text.split(",").map((address) => parseHostPort(address.trim()));
  if (addresses.some(({ port }) => port === 0)) throw new Error("the port 0 is served by nobody");
  return addresses;
}

/**
 * The number of a group, 0 to 4294967294.
 * @throws {Error} that says what is wrong, for a message that names the setting
 */
export function parseGroupId(text: string): number {
  const id = Number(text);
  if (!/^\d{1,10}$/.test(text) || id > 0xffff_fffe) throw new Error("not the number of a group");
  return id;
}

/**
 * A file's name with no directory before it.
 * @throws {Error} that says what is wrong, for a message that names the setting
 */
export function parseFileName(text: string): string {
  if (text.includes("/") || text === "." || text === "..") throw new Error("not the bare name of a file");
  return text;
}

/**
 * Permissions as three octal digits, with or without a 0 before them.
 * @throws {Error} that says what is wrong, for a message that names the setting
 */
export function parseMode(text: string): string {
  if (!/^0?[0-7]{3}$/.test(text)) throw new Error("not three octal digits, such as 0660");
  return text;
}
