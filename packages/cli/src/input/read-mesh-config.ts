import { describeProblem, type MeshConfig, parseMeshConfig } from "@signet/documents";
import { readFileCapped } from "@signet/runtime";

const maxBytes = 1_048_576;

/** Returns the mesh config in a file; an empty one without a file. Throws an error of one line for each problem. */
export async function readMeshConfig(file: string | undefined): Promise<MeshConfig> {
  const text = file === undefined ? "" : (await readFileCapped(file, maxBytes)).toString("utf8");
  const parsed = parseMeshConfig(text, { file: file ?? "mesh config" });
  if (parsed.kind === "mesh-config") return parsed.meshConfig;
  throw new Error(parsed.problems.map(describeProblem).join("\n"));
}
