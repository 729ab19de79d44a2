import { parseWorkload, type Workload } from "@signet/documents";
import { type Setting, setting } from "@signet/runtime";
import { parseInstant } from "../input/instant.ts";

/** What every `signet jwt` command can be told. */
export const jwtSettings: {
  readonly rules: Setting<string | undefined>;
  readonly workload: Setting<Workload | undefined>;
  readonly namespace: Setting<string>;
  readonly meshConfig: Setting<string | undefined>;
  readonly profile: Setting<"istio" | "strict">;
  readonly require: Setting<boolean>;
  readonly passOpaqueTokens: Setting<boolean>;
  readonly bracketedClaims: Setting<boolean>;
  readonly typedClaims: Setting<boolean>;
  readonly algorithms: Setting<readonly string[] | undefined>;
  readonly jwks: Setting<readonly string[]>;
  readonly now: Setting<Date | undefined>;
  readonly json: Setting<boolean>;
} = {
  rules: setting.text({
    flag: "rules",
    description: "a file of RequestAuthentications, or a directory of them and those below it (.yaml, .yml, .json)",
  }),
  workload: setting.parsed({
    flag: "workload",
    read: parseWorkload,
    placeholder: "<namespace/label=value,...>",
    description: "whose requests these are, such as foo/app=httpbin; without it every document counts",
  }),
  namespace: setting.text({
    flag: "namespace",
    default: "default",
    description: "the namespace of documents that name none",
  }),
  meshConfig: setting.text({
    flag: "mesh-config",
    description: "a file with Istio's mesh config, whose rootNamespace (default istio-system) counts",
  }),
  profile: setting.choice({
    flag: "profile",
    choices: ["istio", "strict"],
    default: "istio",
    description: "judge as Envoy does, or as the RFCs would have it",
  }),
  require: setting.bool({ flag: "require", default: false, description: "refuse a request without a token with 401" }),
  passOpaqueTokens: setting.bool({
    flag: "pass-opaque-tokens",
    default: false,
    description: "take what has not the form of a JWT for no token",
  }),
  bracketedClaims: setting.bool({
    flag: "bracketed-claims",
    default: false,
    description: "let outputClaimToHeaders name claims as [one][two], dots and all",
  }),
  typedClaims: setting.bool({
    flag: "typed-claims",
    default: false,
    description: "publish numbers and booleans as text, which policies can match",
  }),
  algorithms: setting.list({
    flag: "algorithms",
    description: "the algorithms that tokens may have, in place of the profile's",
  }),
  jwks: setting.list({
    flag: "jwks",
    default: [],
    description: "keys of an issuer, or of a jwksUri, as <issuer>=<file>; then no connection is made for them",
  }),
  now: setting.parsed({
    flag: "now",
    read: parseInstant,
    placeholder: "<RFC 3339>",
    description: "the instant to judge at; the present unless given",
  }),
  json: setting.bool({ flag: "json", default: false, description: "print JSON" }),
};
