import { type Setting, type SettingsOf, setting } from "@signet/runtime";

/** What `npm run demo --` can be told. */
export const demoSettings: {
  readonly ca: Setting<"self-signed" | "vault">;
  readonly json: Setting<boolean>;
  readonly keep: Setting<boolean>;
} = {
  ca: setting.choice({
    flag: "ca",
    choices: ["self-signed", "vault"],
    default: "self-signed",
    description: "what signs; vault starts one, built from Go on first use, or uses that of VAULT_ADDR and VAULT_TOKEN",
  }),
  json: setting.bool({
    flag: "json",
    default: false,
    description: "print one JSON object when all is done, and nothing else on standard output",
  }),
  keep: setting.bool({
    flag: "keep",
    default: false,
    description: "leave everything running when all is done, until Ctrl-C",
  }),
};

/** The parsed settings of the demo. */
export type DemoSettings = SettingsOf<typeof demoSettings>;
