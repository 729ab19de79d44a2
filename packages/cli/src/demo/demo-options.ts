import type { DemoSettings } from "./demo-settings.ts";
import type { DemoReport } from "./report.ts";
import type { Timeline } from "./timeline.ts";

/** What the demo runs with. */
export type DemoOptions = {
  readonly settings: DemoSettings;
  /** Empty, private, with a short path. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeline: Timeline;
  /** Writes one line for people, also with `--json`. */
  readonly warn: (line: string) => void;
  /** Seconds since the start. */
  readonly elapsed: () => number;
  /** Called once, before anything is stopped. */
  readonly onReport: (report: DemoReport) => void;
};
