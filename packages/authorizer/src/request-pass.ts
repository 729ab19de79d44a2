import type { HttpAuthorizationRequest, JsonObject } from "@signet/policy";
import { type AuthorizationRequest, requestHeaders, type ShadowResults } from "@signet/policy";
import type { HeaderChanges, RequestAuthenticationResult } from "@signet/request-auth";
import type { AttributedRequest } from "./attribute-context.ts";
import type { AuthorizationReason, AuthorizationResult } from "./authorization-result.ts";
import type { CustomAnswer, RefusalAnswer } from "./custom-provider.ts";
import { remoteIpOf } from "./remote-ip.ts";

type Header = readonly [name: string, value: string];
type Authenticated = Extract<RequestAuthenticationResult, { kind: "authenticated" }>;

/** What a pass is told of how requests are meant. */
export type PassOptions = {
  readonly trustedHops: number | undefined;
  /** Whether the payload that another filter has left counts: where there are no rules of our own to verify tokens. */
  readonly believesMetadata: boolean;
};

const jwtFilter = "envoy.filters.http.jwt_authn";
const noUpstream: HeaderChanges = { remove: [], add: [] };
const noShadow: ShadowResults = {};

/** One request on its way through the stages: what each changes is seen by the next, as by the filters of a proxy. */
export class RequestPass {
  #request: AttributedRequest;
  readonly #options: PassOptions;
  readonly #removed = new Set<string>();
  #added: readonly Header[] = [];
  readonly #downstream: Header[] = [];
  #path: string | undefined;
  #token: Authenticated | undefined;

  constructor(request: AttributedRequest, options: PassOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** As it is by now. */
  get request(): AttributedRequest {
    return this.#request;
  }

  /** Takes what authentication found into the request. */
  authenticated(result: Exclude<RequestAuthenticationResult, { kind: "rejected" }>): void {
    if (result.kind === "authenticated") this.#token = result;
    this.#change(result.upstream);
  }

  /** Takes what a CUSTOM provider said into the request. */
  allowedBy({ upstream, downstream }: Extract<CustomAnswer, { kind: "allowed" }>): void {
    if (upstream !== undefined) this.#change(upstream);
    if (downstream !== undefined) this.#downstream.push(...downstream);
  }

  /** The request as policies look at it. */
  facts(): AuthorizationRequest {
    const { source, destination, sni, method, scheme, path, host, headers } = this.#request;
    const remoteIp = this.#request.tcp ? source.address : remoteIpOf(this.#request, this.#options.trustedHops);
    const connection = {
      ...(source.principal === undefined ? {} : { peerPrincipal: source.principal }),
      ...(source.address === undefined ? {} : { directRemoteIp: source.address }),
      ...(remoteIp === undefined ? {} : { remoteIp }),
      ...(destination.address === undefined ? {} : { destinationIp: destination.address }),
      ...(destination.port === undefined ? {} : { destinationPort: destination.port }),
      ...(sni === undefined ? {} : { sni }),
      filterMetadata: this.#filterMetadata(),
    };
    if (this.#request.tcp) return { kind: "tcp", ...connection };
    const payload = this.#payload();
    const http: HttpAuthorizationRequest = {
      kind: "http",
      ...connection,
      method,
      ...(scheme === "" ? {} : { scheme }),
      ...(path === "" ? {} : { path }),
      ...(host === "" ? {} : { host }),
      headers: requestHeaders(headers),
    };
    return payload === undefined ? http : { ...http, jwtPayload: payload };
  }

  /** The result of a request that is let through, or denied with `answer`. */
  conclude(
    verdict: Pick<AuthorizationResult, "effect"> &
      Partial<AuthorizationResult> & { readonly reason: AuthorizationReason },
    answer?: RefusalAnswer,
  ): AuthorizationResult {
    const token = this.#token;
    const allowed = verdict.effect === "allow";
    return {
      audit: [],
      shadow: noShadow,
      ...(token?.principal === undefined ? {} : { requestPrincipal: token.principal }),
      ...(token === undefined ? {} : { payload: token.payload, claims: token.claims }),
      upstream: allowed ? this.#upstream() : noUpstream,
      downstream: allowed ? this.#downstream : [],
      ...verdict,
      ...(answer === undefined ? {} : { answer }),
    };
  }

  #change({ remove, add, path }: HeaderChanges): void {
    if (remove.length === 0 && add.length === 0 && path === undefined) return;
    const gone = new Set(remove);
    const isLeft = ([name]: Header): boolean => !gone.has(name.toLowerCase());
    for (const name of gone) this.#removed.add(name);
    this.#added = [...this.#added.filter(isLeft), ...add];
    if (path !== undefined) this.#path = path;
    const headers = [...this.#request.headers.filter(isLeft), ...add];
    this.#request = { ...this.#request, headers, ...(path === undefined ? {} : { path }) };
  }

  #upstream(): HeaderChanges {
    const changes = { remove: [...this.#removed], add: this.#added };
    return this.#path === undefined ? changes : { ...changes, path: this.#path };
  }

  #payload(): JsonObject | undefined {
    if (this.#token !== undefined) return this.#token.payload;
    if (!this.#options.believesMetadata) return undefined;
    const payload = this.#request.filterMetadata[jwtFilter]?.payload;
    return isJsonObject(payload) ? payload : undefined;
  }

  /** What other filters left; of tokens only what is believed. */
  #filterMetadata(): JsonObject {
    if (this.#options.believesMetadata) return this.#request.filterMetadata;
    const { [jwtFilter]: _, ...others } = this.#request.filterMetadata;
    return this.#token === undefined ? others : { ...others, [jwtFilter]: { payload: this.#token.payload } };
  }
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
