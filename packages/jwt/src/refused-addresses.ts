import { BlockList, isIP, isIPv6 } from "node:net";

// Link-local ranges, and the addresses outside them where clouds serve credentials to whoever asks: AWS on IPv6, Azure,
// Oracle, Alibaba. The NAT64 prefix of RFC 6052 would reach the IPv4 ones by another name. Loopback and private ranges
// stay allowed: an issuer inside the cluster is the norm.
const refused = new BlockList();
refused.addSubnet("169.254.0.0", 16, "ipv4");
refused.addSubnet("fe80::", 10, "ipv6");
refused.addAddress("fd00:ec2::254", "ipv6");
refused.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");
refused.addAddress("168.63.129.16", "ipv4");
refused.addAddress("192.0.0.192", "ipv4");
refused.addAddress("100.100.100.200", "ipv4");

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether no key may ever be fetched from this IP address: link-local and cloud metadata, also as IPv4-mapped IPv6. */
export function isRefusedAddress(address: string): boolean {
  return isIP(address) === 0 || refused.check(address, familyOf(address));
}

/** Whether an IP address is this machine: 127.0.0.0/8 or ::1. */
export function isLoopbackAddress(address: string): boolean {
  return isIP(address) !== 0 && loopback.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}
