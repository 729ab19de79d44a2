const prefix = "CA_HEADER_";
const maxValueBytes = 4_096;
/** Names that gRPC or the agent itself sets. */
const reserved = new Set(["authorization", "clusterid", "content-type", "te", "user-agent", "host", "connection"]);

/**
 * The headers that `CA_HEADER_<NAME>` variables ask for, by lower-case name, and what is wrong with others.
 *
 * A value is never quoted in a problem: these headers may hold credentials.
 */
export function readCaHeaders(env: Readonly<Record<string, string | undefined>>): {
  readonly headers: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
} {
  const headers: Record<string, string> = {};
  const problems: string[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || value === undefined) continue;
    const name = variable.slice(prefix.length).toLowerCase();
    const problem = problemWith(name, value);
    if (problem === undefined) headers[name] = value;
    else problems.push(`${variable}: ${problem}`);
  }
  return { headers, problems };
}

function problemWith(name: string, value: string): string | undefined {
  if (!/^[a-z0-9_.-]+$/.test(name)) return "the name is not that of a gRPC header";
  if (reserved.has(name) || name.startsWith("grpc-")) return `the header ${name} is not for others to set`;
  if (name.endsWith("-bin")) return "binary headers (-bin) cannot be set from text";
  if (value.length > maxValueBytes) return `the value has ${value.length} characters, more than ${maxValueBytes}`;
  // gRPC over HTTP/2: ASCII-Value = 1*( %x20-%x7E )
  if (!/^[\x20-\x7e]*$/.test(value)) return "the value has other than printable ASCII characters";
  return undefined;
}
