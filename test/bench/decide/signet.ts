import { parseWorkload } from "@signet/documents";
import {
  type AuthorizationRequest,
  compilePolicies,
  decide,
  policiesFor,
  requestHeaders,
  type WorkloadPolicies,
} from "@signet/policy";
import { type BenchRequest, type BenchRule, toPolicy } from "./bench-policies.ts";

/** Compiles and indexes for one workload. */
export function compileForSignet(rules: readonly BenchRule[]): WorkloadPolicies {
  const { compiled } = compilePolicies({ documents: rules.map(toPolicy), refused: [] });
  return policiesFor(compiled, parseWorkload("foo/app=bench"));
}

export function signetAllows(policies: WorkloadPolicies, request: AuthorizationRequest): boolean {
  return decide(policies, request).effect === "allow";
}

/** A request whose texts have never been seen before, as they come off a wire: nothing of them is hashed or shared. */
export function freshRequest(request: BenchRequest): AuthorizationRequest {
  const { namespace, serviceAccount, method, path, host, tenant, ip, groups } = request;
  return {
    kind: "http",
    peerPrincipal: fresh(`spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`),
    directRemoteIp: fresh(ip),
    remoteIp: fresh(ip),
    destinationPort: 8080,
    method: fresh(method),
    path: fresh(path),
    host: fresh(host),
    headers: requestHeaders([
      ["accept", "*/*"],
      ["x-tenant", fresh(tenant)],
      ["user-agent", "bench"],
    ]),
    jwtPayload: { iss: "https://idp.example", sub: "bench", groups: groups.map(fresh) },
  };
}

function fresh(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
