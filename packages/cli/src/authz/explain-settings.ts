import { isIP } from "node:net";
import { type Setting, setting } from "@signet/runtime";
import { decideSettings } from "./decide-settings.ts";

/** What `signet authz explain` is told: whose text describes a request, and what is known besides. */
export const explainSettings: typeof decideSettings & {
  readonly request: Setting<string | undefined>;
  readonly curl: Setting<string | undefined>;
  readonly accessLog: Setting<string | undefined>;
  readonly method: Setting<string | undefined>;
  readonly scheme: Setting<string | undefined>;
  readonly host: Setting<string | undefined>;
  readonly path: Setting<string | undefined>;
  readonly header: Setting<readonly string[]>;
  readonly principal: Setting<string | undefined>;
  readonly sourceIp: Setting<string | undefined>;
  readonly remoteIp: Setting<string | undefined>;
  readonly destinationIp: Setting<string | undefined>;
  readonly port: Setting<number | undefined>;
  readonly sni: Setting<string | undefined>;
  readonly tokenFile: Setting<string | undefined>;
  readonly claims: Setting<Readonly<Record<string, unknown>> | undefined>;
  readonly tcp: Setting<boolean>;
} = {
  ...decideSettings,
  request: setting.text({
    flag: "request",
    description: "a file with the request as Envoy's AttributeContext in proto JSON; - is standard input",
  }),
  curl: setting.text({ flag: "curl", description: "the request as a command line of curl; - is standard input" }),
  accessLog: setting.text({
    flag: "access-log",
    description: "the request as a line of Envoy's access log, Istio's or Envoy's text or JSON; - is standard input",
  }),
  method: setting.text({ flag: "method", description: "GET unless the request says otherwise" }),
  scheme: setting.text({ flag: "scheme", description: "http or https" }),
  host: setting.text({ flag: "host", description: "as in the Host header, with its port" }),
  path: setting.text({ flag: "path", description: "with its query" }),
  header: setting.list({ flag: "header", default: [], description: 'a header, as "name: value"; may be repeated' }),
  principal: setting.text({
    flag: "principal",
    description: "the SPIFFE ID of the peer's certificate, with spiffe:// or without; none for plaintext",
  }),
  sourceIp: ip("source-ip", "address of the TCP peer"),
  remoteIp: ip("remote-ip", "address of the client where proxies stand before the peer"),
  destinationIp: ip("destination-ip", "address of the workload"),
  port: setting.parsed({
    flag: "port",
    read: readPort,
    placeholder: "<port>",
    description: "the port that the workload listens on",
  }),
  sni: setting.text({ flag: "sni", description: "the server name of the TLS handshake" }),
  tokenFile: setting.text({
    flag: "token-file",
    description: "a file with the token that the request bears in Authorization; - is standard input",
  }),
  claims: setting.parsed({
    flag: "claims",
    read: readClaims,
    placeholder: "<JSON>",
    description: "the claims of a token, taken to be verified",
  }),
  tcp: setting.bool({ flag: "tcp", default: false, description: "a connection that is not looked into as HTTP" }),
};

function ip(flag: string, description: string): Setting<string | undefined> {
  const read = (text: string): string => {
    if (isIP(text) > 0) return text;
    throw new Error("is no IP address");
  };
  return setting.parsed({ flag, read, placeholder: "<IP>", description });
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new Error("is no port");
}

function readClaims(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("is no JSON object");
  return { ...value };
}
