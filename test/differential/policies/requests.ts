import type { Random } from "../support/random.ts";
import { type Constraint, waysToMatch } from "./constraints.ts";
import { changesFor, tokenIssuers } from "./instances.ts";
import type { PolicySet } from "./policy-sets.ts";
import type { Sketch } from "./sketch.ts";

const plain: Sketch = {
  transport: "tls",
  peer: "spiffe://cluster.local/ns/foo/sa/bar",
  sni: "shop.example",
  directIp: "127.1.2.3",
  proxiedIp: "10.1.2.3",
  destinationIp: "10.9.9.9",
  destinationPort: 8080,
  method: "GET",
  path: "/cart",
  host: "shop.example",
  headers: [],
};

/**
 * Returns requests for a set of policies: for every way in which a rule can match, one that makes all its conditions true,
 * one for each condition that makes it false, and those around every value that it compares with; at most `limit` of them.
 */
export function requestsFor(random: Random, { policies }: PolicySet, limit: number): readonly Sketch[] {
  const sketches: Sketch[] = [plain];
  for (const policy of policies) {
    for (const rule of policy.rules) {
      for (const way of waysToMatch(policy, rule)) sketches.push(...around(random, way));
    }
  }
  return random.shuffled(sketches).slice(0, limit);
}

function around(random: Random, way: readonly Constraint[]): readonly Sketch[] {
  const base = random.chance(0.5) ? plain : wander(random, plain);
  const allTrue = way.reduce((sketch, constraint) => satisfied(random, constraint, sketch), base);
  const sketches: Sketch[] = [allTrue];
  for (const constraint of way) {
    for (const value of [...constraint.values, ...constraint.notValues]) {
      const { matching, near } = changesFor(random, constraint, value);
      sketches.push(matching(allTrue), ...random.some(near, 0.4).map((change) => change(allTrue)));
    }
  }
  return sketches;
}

function satisfied(random: Random, constraint: Constraint, sketch: Sketch): Sketch {
  if (constraint.values.length > 0)
    return changesFor(random, constraint, random.pick(constraint.values)).matching(sketch);
  const { near } = changesFor(random, constraint, random.pick(constraint.notValues));
  return near.length === 0 ? sketch : random.pick(near)(sketch);
}

/** Another request that rules say nothing about. */
function wander(random: Random, sketch: Sketch): Sketch {
  const { peer, sni, ...others } = sketch;
  const transport = random.pick(["tls", "tls", "plaintext"] as const);
  return {
    ...others,
    transport,
    ...(transport === "tls" && random.chance(0.8) && peer !== undefined ? { peer } : {}),
    ...(transport === "tls" && random.chance(0.7) && sni !== undefined ? { sni } : {}),
    directIp: random.pick(["127.1.2.3", "127.0.2.6", "127.0.0.1", "::1"]),
    proxiedIp: random.pick(["10.1.2.3", "192.0.2.6"]),
    ...(random.chance(0.4)
      ? { forwardedFor: random.pick(["10.1.2.4", "2001:db8::1", "1.2.3.4, 10.1.2.3", "10.1.2.3,  192.0.2.7"]) }
      : {}),
    method: random.pick(["GET", "POST", "DELETE"]),
    path: random.pick(["/", "/cart", "/cart/1/items", "/x.jpg?y=/items"]),
    host: random.pick(["shop.example", "shop.example:8080", "Other"]),
    headers: random.some(
      [
        ["x-team", "blue"],
        ["user-agent", "be"],
        ["accept", ""],
        ["cookie", "blue"],
      ] as const,
      0.3,
    ),
    ...(random.chance(0.5)
      ? { claims: { iss: random.pick(tokenIssuers.slice(0, 3)), sub: "alice", aud: ["blue"], groups: "red" } }
      : {}),
  };
}
