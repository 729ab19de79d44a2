import { type Setting, type SettingsOf, setting } from "@signet/runtime";

/** What `signet dev` can be told; Istio's own variables go to the CA server unchanged. */
export const devSettings: {
  readonly json: Setting<boolean>;
  readonly stateDirectory: Setting<string>;
  readonly caPort: Setting<number | undefined>;
  readonly monitoringPort: Setting<number | undefined>;
  readonly readyPort: Setting<number | undefined>;
  readonly issuerPort: Setting<number | undefined>;
  readonly envoyPort: Setting<number | undefined>;
} = {
  json: setting.bool({
    flag: "json",
    default: false,
    description: "print one line of JSON when all is ready; everything else goes to standard error",
  }),
  stateDirectory: setting.text({
    env: "SIGNET_STATE_DIR",
    flag: "state-dir",
    default: "./.signet",
    description: "where keys, roots, tokens and the Envoy bootstrap are kept",
  }),
  caPort: port("ca-port", "the CA RPC", 15_012),
  monitoringPort: port("monitoring-port", "/metrics and /version", 15_014),
  readyPort: port("ready-port", "/ready", 8_080),
  issuerPort: port("issuer-port", "the token issuer", 15_080),
  envoyPort: port("envoy-port", "the Envoy whose command is printed", 18_080),
};

/** The parsed settings of `signet dev`. */
export type DevSettings = SettingsOf<typeof devSettings>;

/** The ports of `signet dev`, all on 127.0.0.1; 0 picks a free one. */
export type DevPorts = {
  readonly ca: number;
  readonly monitoring: number;
  readonly ready: number;
  readonly issuer: number;
  readonly envoy: number;
};

/** The ports to bind; `--json` is for scripts and so picks free ones unless told otherwise. */
export function devPorts(settings: DevSettings): DevPorts {
  const usual = (port: number): number => (settings.json ? 0 : port);
  return {
    ca: settings.caPort ?? usual(15_012),
    monitoring: settings.monitoringPort ?? usual(15_014),
    ready: settings.readyPort ?? usual(8_080),
    issuer: settings.issuerPort ?? usual(15_080),
    envoy: settings.envoyPort ?? usual(18_080),
  };
}

function port(flag: string, what: string, usual: number): Setting<number | undefined> {
  const description = `port of ${what} on 127.0.0.1; 0 picks a free one (default ${usual}, with --json 0)`;
  return setting.integer({ flag, min: 0, max: 65_535, description });
}
