import type { DemoSettings } from "./demo-settings.ts";
import type { DemoReport } from "./report.ts";
import type { Timeline } from "./timeline.ts";
import type { VaultServer } from "./vault/vault-server.ts";

/** What the demo runs with. */
export type DemoOptions = {
  readonly settings: DemoSettings;
  /** Empty, private, with a short path. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Signs, when it is there; who opened it closes it. */
  readonly vault?: VaultServer;
  readonly timeline: Timeline;
  /** Writes one line for people, also with `--json`. */
  readonly warn: (line: string) => void;
  /** Seconds since the start. */
  readonly elapsed: () => number;
  /** Called once, before anything is stopped. */
  readonly onReport: (report: DemoReport) => void;
};
