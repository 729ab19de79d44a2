import type { GatewayRequest, HeaderChanges } from "./gateway-request.ts";

/** A JSON object as it was parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Who a request is from, or why it must not go on. */
export type AuthenticationResult =
  /** No token anywhere that a rule looks. */
  | { readonly kind: "anonymous"; readonly upstream: HeaderChanges }
  | {
      readonly kind: "authenticated";
      /** `<iss>/<sub>`; absent when the token lacks one of them. */
      readonly principal?: string;
      /** As in the token. */
      readonly claims: JsonObject;
      /** As policies see them: space-delimited claims are lists. */
      readonly payload: JsonObject;
      readonly rule: { readonly issuer: string };
      readonly upstream: HeaderChanges;
    }
  | {
      readonly kind: "rejected";
      readonly code: string;
      readonly status: number;
      readonly body: string;
      /** The value of the header of that name. */
      readonly wwwAuthenticate?: string;
    };

/** Says who requests are from. `authenticate` rejects only when it cannot tell, and then the request is refused. */
export interface RequestAuthenticator {
  authenticate(request: GatewayRequest, signal: AbortSignal): Promise<AuthenticationResult>;
}
