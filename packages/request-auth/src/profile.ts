/**
 * How tokens are judged: "istio" as Envoy does with the configuration that istiod makes; "strict" as RFC 7515, RFC 7519 and
 * RFC 8725 would have it.
 */
export type RequestAuthProfile = "istio" | "strict";
