import { jwtAlgorithms } from "@signet/jwt";
import type { RequestAuthProfile } from "./profile.ts";

const envoyAlgorithms = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA"],
];
const symmetricAlgorithms = ["HS256", "HS384", "HS512"];

/**
 * What a token may say in `alg`: what Envoy knows in profile "istio", all asymmetric ones in "strict"; of `wanted`, where it is
 * given, what can be verified at all, and never a symmetric one in "strict".
 */
export function acceptedAlgorithms(
  profile: RequestAuthProfile,
  wanted: readonly string[] | undefined,
): ReadonlySet<string> {
  if (wanted !== undefined) {
    const possible: readonly string[] =
      profile === "strict" ? jwtAlgorithms : [...jwtAlgorithms, ...symmetricAlgorithms];
    return new Set(wanted.filter((name) => possible.includes(name)));
  }
  return new Set(profile === "strict" ? jwtAlgorithms : [...envoyAlgorithms, ...symmetricAlgorithms]);
}
