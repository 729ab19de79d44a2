/** Headers that Envoy keeps as one value: those that came, with a comma between them. Measured with Envoy 1.40. */
const joined: ReadonlySet<string> = new Set([
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

/** The values of a header, its name in lower case, as Envoy's filters see them: nothing is put beside one that is empty. */
export function joinedValues(name: string, values: string[]): string[] {
  return joined.has(name) && values.length > 1 ? [values.filter((value) => value !== "").join(",")] : values;
}
