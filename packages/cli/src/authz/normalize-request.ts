import type { AttributedRequest } from "@signet/authorizer";
import type { MeshConfig } from "@signet/documents";
import { normalizePath } from "@signet/policy";

/**
 * Returns a request as people describe one with its path as a proxy of the mesh makes it before policies look. Throws an error for
 * a path that is answered with 400 instead.
 */
export function normalizeRequest(request: AttributedRequest, { pathNormalization }: MeshConfig): AttributedRequest {
  if (request.tcp || request.path === "") return request;
  const path = normalizePath(request.path, pathNormalization === undefined ? {} : { normalization: pathNormalization });
  if (path !== undefined) return { ...request, path };
  throw new Error("the path is none that a proxy takes: it answers 400 before any policy is asked");
}
