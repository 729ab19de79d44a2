const names: ReadonlySet<string> = new Set([
  ...["accept", "accept-encoding", "access-control-request-headers", "access-control-request-method", "authorization"],
  ...[
    "cache-control",
    "content-encoding",
    "content-type",
    "expect",
    "grpc-accept-encoding",
    "grpc-timeout",
    "if-match",
  ],
  ...["if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "origin", "pragma", "referer"],
  ...["user-agent", "via", "x-client-trace-id", "x-envoy-attempt-count", "x-envoy-decorator-operation"],
  ...["x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node", "x-envoy-external-address"],
  ...["x-envoy-is-timeout-retry", "x-envoy-original-host", "x-envoy-original-path", "x-forwarded-client-cert"],
  ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-request-id"],
]);

/**
 * Returns the values of a header, its name in lower case, as Envoy's filters see them: some well-known headers are kept as one
 * value, those that came with a comma between them and nothing beside one that is empty. Measured with Envoy 1.40.
 * @example
 * ```ts
 * import { joinedHeaderValues } from "@signet/documents";
 * joinedHeaderValues("user-agent", ["a", "b"]); // ["a,b"]
 * joinedHeaderValues("x-team", ["a", "b"]); // ["a", "b"]
 * ```
 */
export function joinedHeaderValues(name: string, values: readonly string[]): readonly string[] {
  return values.length > 1 && names.has(name) ? [values.filter((value) => value !== "").join(",")] : values;
}
