import { assertNever } from "./assert-never.ts";
import { type AuthorizationRequest, type JsonObject, lowerCaseAscii } from "./authorization-request.ts";
import { type IpAddress, parseIpAddress } from "./match/ip-address.ts";
import { isDotText } from "./match/octets.ts";

/** Which address of a request. */
export type IpName = "directRemoteIp" | "remoteIp" | "destinationIp";

/** An address; `absent` where there is none; `malformed` where there is text that is no address. */
export type IpFact = IpAddress | "absent" | "malformed";

/** One request as rules look at it. What has to be derived is derived when it is first asked for. */
export class Facts {
  readonly request: AuthorizationRequest;
  #path: string | undefined;
  #host: string | undefined;
  #principalIsDot: boolean | undefined;
  #directRemoteIp: IpFact | undefined;
  #remoteIp: IpFact | undefined;
  #destinationIp: IpFact | undefined;

  constructor(request: AuthorizationRequest) {
    this.request = request;
  }

  /** The path without query and fragment. */
  get path(): string | undefined {
    if (this.#path !== undefined || this.request.kind === "tcp") return this.#path;
    const { path } = this.request;
    if (path === undefined) return undefined;
    const query = path.indexOf("?");
    const beforeQuery = query < 0 ? path : path.slice(0, query);
    const fragment = beforeQuery.indexOf("#");
    this.#path = fragment < 0 ? beforeQuery : beforeQuery.slice(0, fragment);
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

  /** Whether RE2's `.` covers all of the peer's SPIFFE ID; false where there is none. */
  get principalIsDot(): boolean {
    const { peerPrincipal } = this.request;
    this.#principalIsDot ??= peerPrincipal !== undefined && isDotText(peerPrincipal);
    return this.#principalIsDot;
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
    switch (name) {
      case "directRemoteIp":
        this.#directRemoteIp ??= ipFact(this.request.directRemoteIp);
        return this.#directRemoteIp;
      case "remoteIp":
        this.#remoteIp ??= ipFact(this.request.remoteIp);
        return this.#remoteIp;
      case "destinationIp":
        this.#destinationIp ??= ipFact(this.request.destinationIp);
        return this.#destinationIp;
      default:
        return assertNever(name);
    }
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
