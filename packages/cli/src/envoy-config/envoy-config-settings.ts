import { parseWorkload, type Workload } from "@signet/documents";
import { type Setting, setting } from "@signet/runtime";

/** What is known to be spoken on ports of a workload. */
export type KnownPorts = ReadonlyMap<number, "http" | "tcp">;

/** What `signet envoy-config` can be told. */
export const envoyConfigSettings: {
  readonly policies: Setting<string | undefined>;
  readonly workload: Setting<Workload | undefined>;
  readonly listener: Setting<"inbound" | "gateway" | "tcp">;
  readonly filterChains: Setting<boolean>;
  readonly ports: Setting<KnownPorts | undefined>;
  readonly meshConfig: Setting<string | undefined>;
  readonly namespace: Setting<string>;
  readonly jwks: Setting<readonly string[]>;
  readonly inlineJwks: Setting<boolean>;
  readonly jwtFirst: Setting<boolean>;
  readonly severalProviders: Setting<boolean>;
  readonly output: Setting<"yaml" | "json">;
} = {
  policies: setting.text({
    flag: "policies",
    description:
      "a file of Istio's documents, or a directory of them and those below it (.yaml, .yml, .json) (required)",
  }),
  workload: setting.parsed({
    flag: "workload",
    read: parseWorkload,
    placeholder: "<namespace/label=value,...>",
    description: "whose filters these are, such as foo/app=httpbin,version=v1 (required)",
  }),
  listener: setting.choice({
    flag: "listener",
    choices: ["inbound", "gateway", "tcp"],
    default: "inbound",
    description: "HTTP filters beside a workload, HTTP filters on a gateway, or network filters of TCP",
  }),
  filterChains: setting.bool({
    flag: "filter-chains",
    default: false,
    description: "print after the filters of an inbound listener its filter chain matches and transport sockets",
  }),
  ports: setting.parsed({
    flag: "ports",
    read: parsePorts,
    placeholder: "<port=http|tcp,...>",
    description: "what ports of the workload are known to speak, such as 8080=http,5432=tcp; for --filter-chains",
  }),
  meshConfig: setting.text({
    flag: "mesh-config",
    description: "a file with Istio's mesh config; without it the trust domain is cluster.local",
  }),
  namespace: setting.text({
    flag: "namespace",
    default: "default",
    description: "the namespace of documents that name none",
  }),
  jwks: setting.list({
    flag: "jwks",
    default: [],
    description: "keys of an issuer, or of a jwksUri, as <issuer>=<file>, to be written into the filter",
  }),
  inlineJwks: setting.bool({
    flag: "inline-jwks",
    default: false,
    description:
      "never let Envoy fetch keys: without, those of rules with a jwksUri and no --jwks come from cluster outbound|<port>||<host>",
  }),
  jwtFirst: setting.bool({
    env: "SIGNET_AUTHZ_JWT_FIRST",
    default: false,
    description: "verify tokens before CUSTOM providers are asked",
  }),
  severalProviders: setting.bool({
    env: "PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS",
    default: false,
    description:
      "ask each of several CUSTOM providers of one workload, instead of denying what they would be asked about",
  }),
  output: setting.choice({
    flag: "output",
    choices: ["yaml", "json"],
    default: "yaml",
    description: "the form of the list; -o is short for it",
  }),
};

/** Reads `8080=http,5432=tcp`. */
function parsePorts(text: string): KnownPorts {
  const ports = new Map<number, "http" | "tcp">();
  for (const entry of text.split(",")) {
    const [, digits = "", protocol] = /^([1-9]\d{0,4})=(http|tcp)$/.exec(entry.trim()) ?? [];
    const port = Number(digits);
    if ((protocol !== "http" && protocol !== "tcp") || port > 65_535) {
      throw new Error("ports are written as 8080=http,5432=tcp");
    }
    if (ports.has(port)) throw new Error(`port ${port} is there twice`);
    ports.set(port, protocol);
  }
  return ports;
}

/** Turns the short flag `-o` into the long one. */
export function withLongFlags(args: readonly string[]): readonly string[] {
  return args.map((arg) => {
    if (arg === "-o") return "--output";
    const [, value] = /^-o=?(yaml|json)$/.exec(arg) ?? [];
    return value === undefined ? arg : `--output=${value}`;
  });
}
