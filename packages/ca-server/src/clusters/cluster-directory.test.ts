import { describe, expect, it } from "vitest";
import type { Cluster } from "./cluster.ts";
import { createClusterDirectory } from "./cluster-directory.ts";

function cluster(id: string): Cluster {
  return { id, tokens: { check: async () => ({ kind: "rejected", reason: "token-refused", cause: id }) }, tasks: [] };
}

const remotes = new Map(["east", "west"].map((id) => [id, cluster(id)]));
let complete = true;
const directory = createClusterDirectory({
  primary: cluster("Kubernetes"),
  aliases: new Map([
    ["home", "Kubernetes"],
    ["orient", "east"],
    ["west", "east"],
    ["nowhere", "gone"],
  ]),
  remote: { get: (id) => remotes.get(id), ids: () => [...remotes.keys()], complete: () => complete },
});

describe("the cluster directory", () => {
  it.each<[string | undefined, string]>([
    [undefined, "Kubernetes"],
    ["", "Kubernetes"],
    ["Kubernetes", "Kubernetes"],
    ["home", "Kubernetes"],
    ["east", "east"],
    ["orient", "east"],
    // A cluster's own name counts before an alias that is the same.
    ["west", "west"],
  ])("finds for %j cluster %s", (clusterId, id) => {
    const lookup = directory.find(clusterId);
    expect(lookup.kind === "found" && lookup.cluster.id).toBe(id);
  });

  it.each(["kubernetes", "gone", "nowhere", "__proto__"])("does not know %j", (clusterId) => {
    complete = true;
    expect(directory.find(clusterId)).toEqual({ kind: "unknown", known: ["Kubernetes", "east", "west"] });
    complete = false;
    expect(directory.find(clusterId)).toEqual({ kind: "unavailable" });
    expect(directory.find("east").kind).toBe("found");
  });
});
