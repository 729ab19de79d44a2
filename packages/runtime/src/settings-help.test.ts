import { describe, expect, it } from "vitest";
import { setting } from "./setting.ts";
import { settingsHelp, settingsTable } from "./settings-help.ts";

const spec = {
  listen: setting.hostPort({
    env: "SIGNET_CA_LISTEN",
    flag: "ca-listen",
    default: { host: "::", port: 15012 },
    description: "where to listen",
  }),
  ttl: setting.duration({ env: "SECRET_TTL", default: 86_400_000, description: "lifetime asked for" }),
  pkcs8: setting.bool({ flag: "pkcs8-key", default: false, description: "PKCS#8 | SEC1" }),
  curve: setting.choice({ flag: "curve", choices: ["P256", "P384"], default: "P256", description: "curve" }),
  names: setting.list({ flag: "names", default: ["a", "b"], description: "names" }),
  password: setting.text({ env: "PASSWORD", default: "hunter2", description: "a secret", secret: true }),
};

describe("settingsHelp", () => {
  it("names flag, variable and default of every setting, and no secret", () => {
    expect(settingsHelp(spec, { command: "signet ca", summary: "Runs the CA server." })).toBe(
      `Usage: signet ca [flags]

Runs the CA server.

Flags (environment variables in brackets):
  --ca-listen <host:port>  [SIGNET_CA_LISTEN]
      where to listen (default :15012)
  [SECRET_TTL]
      lifetime asked for (default 24h0m0s)
  --pkcs8-key
      PKCS#8 | SEC1 (default false)
  --curve <P256|P384>
      curve (default P256)
  --names <a,b,...>
      names (default a,b)
  [PASSWORD]
      a secret
`,
    );
  });
});

describe("settingsTable", () => {
  it("is a Markdown table, with bars escaped and no secret", () => {
    const lines = settingsTable(spec).split("\n");
    expect(lines[0]).toBe("| Variable | Flag | Default | Description |");
    expect(lines[2]).toBe("| `SIGNET_CA_LISTEN` | `--ca-listen <host:port>` | `:15012` | where to listen |");
    expect(lines[4]).toBe("|  | `--pkcs8-key` | `false` | PKCS#8 \\| SEC1 |");
    expect(lines[7]).toBe("| `PASSWORD` |  |  | a secret |");
  });
});
