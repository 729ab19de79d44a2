import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseDocuments, parseMeshConfig, parseWorkload } from "@signet/documents";
import { expect, test } from "vitest";
import { workloadFilterChains, workloadFilters } from "./workload-filters.ts";

const place = (name: string): string => fileURLToPath(new URL(`testdata/${name}`, import.meta.url));

const { documents, refused } = parseDocuments(await readFile(place("shop.yaml"), "utf8"), { file: "shop.yaml" });
const parsed = parseMeshConfig(await readFile(place("mesh.yaml"), "utf8"), { file: "mesh.yaml" });
const workload = parseWorkload("shop/app=cart,version=v1");
const meshConfig = parsed.kind === "mesh-config" ? parsed.meshConfig : undefined;

/** Compared with what was read and found right by a person; `vitest -u` writes anew. */
async function golden(name: string, value: unknown): Promise<void> {
  await expect(`${JSON.stringify(value, undefined, 2)}\n`).toMatchFileSnapshot(place(name));
}

test("the documents of the golden files are valid", () => {
  expect({ refused, kind: parsed.kind }).toEqual({ refused: [], kind: "mesh-config" });
});

test.each(["inbound", "gateway", "tcp"] as const)("filters of listener %s", async (listener) => {
  if (meshConfig === undefined) throw new Error("the mesh config is refused");
  await golden(
    `shop-${listener}.json`,
    workloadFilters(documents, workload, { listener, meshConfig, jwksFetchedBy: "envoy" }),
  );
});

test("filter chains", async () => {
  if (meshConfig === undefined) throw new Error("the mesh config is refused");
  const ports = new Map([[8080, "http"]] as const);
  await golden("shop-chains.json", workloadFilterChains(documents, workload, { meshConfig, ports }));
});
