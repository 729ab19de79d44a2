import { BlockList, isIP, isIPv6 } from "node:net";
import { JwtError, quote } from "./errors.ts";

/** Which addresses keys may not be fetched from, beside those that they never may. */
export type AddressRules = {
  /** Refuses this machine and private networks as well; default false, since an issuer inside the cluster is the norm. */
  readonly refusePrivateAddresses?: boolean;
  /** Further ranges, such as `192.0.2.0/24`, `2001:db8::/32` or a single address. */
  readonly refusedCidrs?: readonly string[];
};

/** Says why nothing is fetched from an IP address; undefined where it may be. */
export type AddressGuard = (address: string) => string | undefined;

type Subnet = readonly [network: string, prefix: number];

// Link-local ranges, and the addresses outside them where clouds serve credentials to whoever asks: AWS on IPv6, Azure,
// Oracle, Alibaba.
const never = blockListOf([
  ["169.254.0.0", 16],
  ["fe80::", 10],
  ["fd00:ec2::", 32],
  ["168.63.129.16", 32],
  ["192.0.0.192", 32],
  ["100.100.100.200", 32],
]);

const loopback = blockListOf([
  ["127.0.0.0", 8],
  ["::1", 128],
]);

// This machine, private networks (RFC 1918, RFC 6598, RFC 4193, the deprecated site-local range), and addresses that a kernel
// takes for this machine.
const privateRanges = blockListOf([
  ["127.0.0.0", 8],
  ["::1", 128],
  ["0.0.0.0", 8],
  ["::", 128],
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
  ["fc00::", 7],
  ["fec0::", 10],
]);

/**
 * Returns the guard for these rules. Link-local addresses and those where clouds serve credentials are refused whatever they say.
 * IPv6 addresses that stand for an IPv4 one (mapped, compatible, NAT64 of RFC 6052, 6to4) are judged as that one too.
 * @throws JwtError `address-range-invalid`
 */
export function createAddressGuard(rules: AddressRules = {}): AddressGuard {
  const further = blockListOf((rules.refusedCidrs ?? []).map(parseSubnet));
  const isPrivate = rules.refusePrivateAddresses === true ? privateRanges : new BlockList();
  return (address) => {
    if (isIP(address) === 0) return "not an IP address";
    // A zone says through which interface, not which address.
    const [bare = ""] = address.split("%");
    const names = [bare, ...embeddedIpv4(bare)];
    if (names.some((name) => holds(never, name))) return "a link-local or metadata address";
    if (names.some((name) => holds(isPrivate, name))) return "an address of this machine or of a private network";
    return names.some((name) => holds(further, name)) ? "in a range that is refused" : undefined;
  };
}

/** Whether an IP address is this machine: 127.0.0.0/8 or ::1. */
export function isLoopbackAddress(address: string): boolean {
  return isIP(address) !== 0 && holds(loopback, address);
}

/** An address, or a range of addresses in CIDR notation. */
export function parseSubnet(text: string): Subnet {
  const slash = text.indexOf("/");
  const network = slash === -1 ? text : text.slice(0, slash);
  const longest = isIPv6(network) ? 128 : 32;
  const prefix = slash === -1 ? longest : Number(text.slice(slash + 1));
  const isPrefix = slash === -1 || /^\d{1,3}$/.test(text.slice(slash + 1));
  if (isIP(network) === 0 || network.includes("%") || !isPrefix || prefix > longest) {
    throw new JwtError("address-range-invalid", `${quote(text)} is no IP address and no range of them`);
  }
  return [network, prefix];
}

/** Returns a list that holds these ranges. */
export function blockListOf(subnets: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, familyOf(network));
  return list;
}

/** Whether a range of the list holds the address. */
export function holds(list: BlockList, address: string): boolean {
  return list.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}

// Where in an IPv6 address, counted in groups of 16 bits, an IPv4 one stands.
const embeddings = [
  { list: blockListOf([["::ffff:0:0", 96]]), group: 6 },
  { list: blockListOf([["::", 96]]), group: 6 },
  { list: blockListOf([["::ffff:0:0:0", 96]]), group: 6 },
  { list: blockListOf([["64:ff9b::", 96]]), group: 6 },
  { list: blockListOf([["2002::", 16]]), group: 1 },
];

function embeddedIpv4(address: string): readonly string[] {
  if (!isIPv6(address)) return [];
  const found = embeddings.filter(({ list }) => holds(list, address));
  return found.map(({ group }) => {
    const [high = 0, low = 0] = groupsOf(address).slice(group);
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
  });
}

/** The eight groups of an IPv6 address, which the URL parser writes in one way alone (WHATWG URL, IPv6 serializer). */
function groupsOf(address: string): readonly number[] {
  const host = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = "", tail] = host.split("::");
  const read = (text: string): readonly number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  if (tail === undefined) return read(head);
  const [before, after] = [read(head), read(tail)];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}
