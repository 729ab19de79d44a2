import type { IpName } from "../facts.ts";
import { type IpBlock, isInBlock, parseIpBlock } from "../match/ip-address.ts";
import { blockKey } from "../rules/index-key.ts";
import type { Attribute } from "./attribute.ts";
import { connectionEdit } from "./attribute-edit.ts";

/** `ipBlocks` and `source.ip`: the TCP peer; never what the PROXY protocol or a header says. */
export const sourceIp: Attribute = ipAttribute("directRemoteIp", "source IP");

/** `remoteIpBlocks` and `remote.ip`: the client by X-Forwarded-For and trusted hops. */
export const remoteIp: Attribute = ipAttribute("remoteIp", "remote IP");

/** `destination.ip`. */
export const destinationIp: Attribute = ipAttribute("destinationIp", "destination IP");

function ipAttribute(name: IpName, title: string): Attribute {
  const dimension = { kind: "ip", id: name, name } as const;
  return {
    title,
    cost: 4,
    edit: connectionEdit(name, {
      like: (values) => values.map((value) => value.split("/")[0]),
      unlike: ["192.0.2.1", "10.0.0.1", "127.0.0.1", "2001:db8::1", undefined],
    }),
    httpOnly: false,
    read: ({ request }) => request[name],
    fault: (value) => (parseIpBlock(value) === undefined ? "is no IP address or CIDR range" : undefined),
    compile: (values) => {
      const blocks = values.map(parseIpBlock).filter((block): block is IpBlock => block !== undefined);
      return {
        test: (facts) => {
          const ip = facts.ip(name);
          if (ip === "absent") return false;
          if (ip === "malformed") return "unknown";
          for (const block of blocks) {
            if (isInBlock(block, ip)) return true;
          }
          return false;
        },
        keys: blocks.map((block) => blockKey(dimension, block)),
      };
    },
  };
}
