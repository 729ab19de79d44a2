import type { BenchRequest } from "./bench-policies.ts";

/** Another engine in this process, its policies loaded. */
export type PeerEngine = {
  /** Returns the decision on one request, whose form for this engine is made before and not counted. */
  prepare(request: BenchRequest): () => boolean;
};
