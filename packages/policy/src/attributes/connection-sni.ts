import { toOctets } from "../match/octets.ts";
import { starPattern, textTest } from "../match/text-pattern.ts";
import type { Dimension } from "../rules/index-key.ts";
import type { Attribute } from "./attribute.ts";
import { connectionEdit, fillStars } from "./attribute-edit.ts";
import { patternKeys } from "./pattern-keys.ts";

const dimension: Dimension = { kind: "text", id: "sni", read: (facts) => facts.sni };

/** `connection.sni`: the server name that was asked for, in lower case as Envoy keeps it. */
export const connectionSni: Attribute = {
  title: "SNI",
  cost: 2,
  edit: connectionEdit("sni", {
    like: (values) => values.map((value) => fillStars(toOctets(value), "x")),
    unlike: [undefined, "x", "signet-other.invalid"],
  }),
  httpOnly: false,
  read: (facts) => facts.sni,
  compile: (values) => {
    const patterns = values.map((value) => starPattern(toOctets(value), "octets"));
    const matches = textTest(patterns);
    return {
      test: ({ sni }) => sni !== undefined && matches(sni),
      ...patternKeys(patterns, dimension),
    };
  },
};
