import { BlockList, isIP } from "node:net";

/** A set of IP networks. */
export interface CidrList {
  /** Whether the IP address in `address` ("192.0.2.1:4711", "[2001:db8::1]:4711") is in one of the networks. */
  includesPeer(address: string): boolean;
  /** As they were written. */
  readonly cidrs: readonly string[];
}

/**
 * Returns the networks that `cidrs` name, in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3), IPv4 or IPv6.
 *
 * An IPv4 peer of a dual-stack socket (`::ffff:192.0.2.1`) is the IPv4 address. Nothing is in the list that is not
 * written there; loopback is not either. A prefix of 0 is refused, since it lists everybody.
 * @throws Error naming the entry that is no network
 */
export function parseCidrList(cidrs: readonly string[]): CidrList {
  const networks = new BlockList();
  for (const cidr of cidrs) {
    const { address, prefix, family } = parseCidr(cidr);
    networks.addSubnet(address, prefix, family);
  }
  return {
    cidrs,
    includesPeer(peer): boolean {
      const address = hostOf(peer);
      const version = isIP(address);
      return version !== 0 && networks.check(address, version === 6 ? "ipv6" : "ipv4");
    },
  };
}

type Cidr = { readonly address: string; readonly prefix: number; readonly family: "ipv4" | "ipv6" };

function parseCidr(cidr: string): Cidr {
  const [address = "", prefixText = "", ...rest] = cidr.split("/");
  const version = isIP(address);
  const bits = version === 6 ? 128 : 32;
  const prefix = /^[0-9]{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
  // A zone ("fe80::1%eth0") is no part of a network's address.
  if (version === 0 || address.includes("%") || rest.length > 0 || !(prefix <= bits)) {
    throw new Error(`${JSON.stringify(cidr.slice(0, 100))} is not a network such as 10.0.0.0/8 or 2001:db8::/32`);
  }
  if (prefix === 0) throw new Error(`${JSON.stringify(cidr)} holds every address there is`);
  return { address, prefix, family: version === 6 ? "ipv6" : "ipv4" };
}

/** The host of `host:port`; empty where there is none. */
function hostOf(peer: string): string {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):[0-9]+$/.exec(peer);
  return match?.[1] ?? match?.[2] ?? "";
}
