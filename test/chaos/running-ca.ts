import { readdirSync, readFileSync } from "node:fs";
import { poll } from "@signet/cli/testing";
import { type Channel, connect } from "@signet/grpc";
import { type LogLine, spawnCa } from "../e2e/spawn-ca.ts";

/** A CA server in a process of its own, looked at from outside. */
export interface RunningCa {
  readonly address: string;
  /** A new connection to it, verified by the roots it was given; closed with it. */
  connect(rootCertificatesPem: string): Channel;
  /** Status and body of /ready. */
  ready(): Promise<{ readonly status: number; readonly body: string }>;
  /** Resolves when /ready answers with this status and its body holds `text`. */
  untilReady(status: number, text?: string): Promise<void>;
  /** The value of a metric, by its name with labels as they are written; undefined where there is none. */
  metric(name: string): Promise<number | undefined>;
  /** The log lines with this message so far. */
  lines(message: string): readonly LogLine[];
  /** Resolves when there are so many such lines. */
  untilLogged(message: string, count?: number): Promise<void>;
  /** Everything it wrote to standard error. */
  stderr(): string;
  /** MiB that it holds now, and the most that it has ever held. */
  memory(): { readonly nowMiB: number; readonly peakMiB: number };
  /** How many files and sockets it has open. */
  openFiles(): number;
  running(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** Ends it in order, and with force where it does not end; returns its exit code or the signal's name. */
  close(): Promise<number | NodeJS.Signals | null>;
}

const patienceMs = 30_000;

/** Starts a CA server with these settings and resolves when it listens; it need not be ready. */
export async function runCa(env: Readonly<Record<string, string>>): Promise<RunningCa> {
  const process = spawnCa(env);
  const { child, output, exit } = process;
  const started = await process.logged("ca server started");
  const { pid } = child;
  let ended = false;
  void exit.then(() => {
    ended = true;
  });
  const channels: Channel[] = [];
  const get = (address: unknown, path: string) =>
    fetch(`http://${String(address)}${path}`, { signal: AbortSignal.timeout(10_000) });

  async function ready(): Promise<{ readonly status: number; readonly body: string }> {
    const answer = await get(started.readyAddress, "/ready");
    return { status: answer.status, body: await answer.text() };
  }

  function lines(message: string): readonly LogLine[] {
    const wanted = `"msg":${JSON.stringify(message)}`;
    return output.stderr
      .split("\n")
      .filter((line) => line.startsWith("{") && line.includes(wanted))
      .map((line): LogLine => JSON.parse(line))
      .filter(({ msg }) => msg === message);
  }

  return {
    address: String(started.caAddress),
    connect(rootCertificatesPem) {
      const channel = connect({ address: String(started.caAddress), tls: { rootCertificatesPem } });
      channels.push(channel);
      return channel;
    },
    ready,
    lines,
    async untilReady(status, text = "") {
      let last = "no answer";
      const look = async (): Promise<true | undefined> => {
        const answer = await ready();
        last = `${answer.status} ${answer.body}`;
        return answer.status === status && answer.body.includes(text) ? true : undefined;
      };
      await poll(look, { what: `/ready with ${status} ${text}`, limitMs: patienceMs }).catch((error: Error) => {
        throw new Error(`${error.message}; the last answer was ${last}`);
      });
    },
    async metric(name) {
      const text = await (await get(started.monitoringAddress, "/metrics")).text();
      const line = text.split("\n").find((one) => one.startsWith(`${name} `));
      return line === undefined ? undefined : Number(line.slice(name.length + 1));
    },
    async untilLogged(message, count = 1) {
      const look = async (): Promise<true | undefined> => (lines(message).length >= count ? true : undefined);
      await poll(look, { what: `${count} lines "${message}"`, limitMs: patienceMs });
    },
    stderr: () => output.stderr,
    memory: () => memoryOf(pid),
    openFiles: () => readdirSync(`/proc/${pid}/fd`).length,
    running: () => !ended,
    kill: (signal) => void child.kill(signal),
    async close() {
      for (const channel of channels) channel.close();
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
      const code = await exit;
      clearTimeout(timer);
      return code;
    },
  };
}

function memoryOf(pid: number | undefined): { readonly nowMiB: number; readonly peakMiB: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mebibytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
  return { nowMiB: mebibytes("VmRSS"), peakMiB: mebibytes("VmHWM") };
}
