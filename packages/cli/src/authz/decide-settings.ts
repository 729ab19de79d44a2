import { parseWorkload, type Workload } from "@signet/documents";
import { type Setting, setting } from "@signet/runtime";
import { jwtSettings } from "../jwt/jwt-settings.ts";
import { policiesSettings } from "./policies-settings.ts";

/** What the commands are told that decide requests. */
export const decideSettings: typeof policiesSettings & {
  readonly workload: Setting<Workload | undefined>;
  readonly jwks: Setting<readonly string[]>;
  readonly now: Setting<Date | undefined>;
  readonly profile: Setting<"istio" | "strict">;
  readonly jwtFirst: Setting<boolean>;
  readonly trustedHops: Setting<number | undefined>;
  readonly customAllow: Setting<readonly string[]>;
  readonly json: Setting<boolean>;
} = {
  ...policiesSettings,
  workload: setting.parsed({
    flag: "workload",
    read: parseWorkload,
    placeholder: "<namespace/label=value,...>",
    description: "whom the requests are to, such as foo/app=httpbin",
  }),
  jwks: jwtSettings.jwks,
  now: jwtSettings.now,
  profile: jwtSettings.profile,
  jwtFirst: setting.bool({
    flag: "jwt-first",
    env: "SIGNET_AUTHZ_JWT_FIRST",
    default: false,
    description: "verify tokens before CUSTOM providers are asked",
  }),
  trustedHops: setting.parsed({
    flag: "trusted-hops",
    read: readHops,
    placeholder: "<number>",
    description:
      "proxies before our own that are believed in x-forwarded-for; else numTrustedProxies of the mesh config",
  }),
  customAllow: setting.list({
    flag: "custom-allow",
    default: [],
    description: "CUSTOM providers that are taken to allow; none is asked, and what any other is for is denied",
  }),
  json: jwtSettings.json,
};

function readHops(text: string): number {
  const hops = Number(text);
  if (/^[0-9]{1,3}$/.test(text) && hops <= 100) return hops;
  throw new Error("is no number from 0 to 100");
}
