import { type AuthorizationRequest, type JsonObject, lowerCaseAscii } from "./authorization-request.ts";
import { type IpAddress, parseIpAddress } from "./match/ip-address.ts";

/** Which address of a request. */
export type IpName = "directRemoteIp" | "remoteIp" | "destinationIp";

/** An address; `absent` where there is none; `malformed` where there is text that is no address. */
export type IpFact = IpAddress | "absent" | "malformed";

/** One request as rules look at it. What has to be derived is derived when it is first asked for. */
export class Facts {
  readonly request: AuthorizationRequest;
  #path: string | undefined;
  #host: string | undefined;
  #ips: Map<IpName, IpFact> | undefined;

  constructor(request: AuthorizationRequest) {
    this.request = request;
  }

  /** The path without query and fragment. */
  get path(): string | undefined {
    if (this.#path !== undefined || this.request.kind === "tcp") return this.#path;
    const { path } = this.request;
    if (path === undefined) return undefined;
    this.#path = path;
    for (let at = 0; at < path.length; at++) {
      const code = path.charCodeAt(at);
      if (code !== 0x3f && code !== 0x23) continue;
      this.#path = path.slice(0, at);
      break;
    }
    return this.#path;
  }

  /** In lower case. */
  get host(): string | undefined {
    if (this.#host !== undefined || this.request.kind === "tcp" || this.request.host === undefined) return this.#host;
    this.#host = lowerCaseAscii(this.request.host);
    return this.#host;
  }

  /** In lower case: Envoy keeps it so, and a value with capitals matches nothing. */
  get sni(): string | undefined {
    const { sni } = this.request;
    return sni === undefined ? undefined : lowerCaseAscii(sni);
  }

  get method(): string | undefined {
    return this.request.kind === "tcp" ? undefined : this.request.method;
  }

  /** A header by its name in lower case; pseudo-headers too, since Envoy keeps them with the others, and Host as `:authority`. */
  header(name: string): string | readonly string[] | undefined {
    const { request } = this;
    if (request.kind === "tcp") return undefined;
    switch (name) {
      case ":path":
        return request.path;
      case ":method":
        return request.method;
      case ":scheme":
        return request.scheme;
      case ":authority":
      case "host":
        return request.host;
      default:
        return request.headers.get(name);
    }
  }

  /** The claim at a path of names, through objects alone. */
  claim(path: readonly string[]): unknown {
    return this.request.kind === "tcp" ? undefined : valueAt(this.request.jwtPayload, path);
  }

  metadata(filter: string, key: string): unknown {
    return valueAt(this.request.filterMetadata, [filter, key]);
  }

  ip(name: IpName): IpFact {
    this.#ips ??= new Map();
    let fact = this.#ips.get(name);
    if (fact === undefined) {
      fact = ipFact(this.request[name]);
      this.#ips.set(name, fact);
    }
    return fact;
  }
}

function ipFact(text: string | undefined): IpFact {
  if (text === undefined) return "absent";
  // A link-local peer comes with its zone, which no block speaks of.
  const zone = text.indexOf("%");
  return parseIpAddress(zone < 0 ? text : text.slice(0, zone)) ?? "malformed";
}

function valueAt(object: JsonObject | undefined, path: readonly string[]): unknown {
  let value: unknown = object;
  for (const name of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
