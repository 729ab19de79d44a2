export { type DocumentProblem, describeProblem } from "./document-problem.ts";
export { type MeshCaCertificate, type MeshConfig, type ParsedMeshConfig, parseMeshConfig } from "./mesh-config.ts";
