import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from "prom-client";

/** A value for each label of a metric; `{}` where it has none. */
export type Labels<L extends string> = Readonly<Record<L, string>>;

/** Only ever grows. */
export interface Counter<L extends string = never> {
  /** Adds `n`, 1 by default; never negative. */
  add(labels: Labels<L>, n?: number): void;
}

/** Goes up and down. */
export interface Gauge<L extends string = never> {
  set(labels: Labels<L>, value: number): void;
}

/** Counts values by size. */
export interface Histogram<L extends string = never> {
  observe(labels: Labels<L>, value: number): void;
}

/** The metrics of one process. Names are exposed exactly as given (behind the prefix): no unit and no "_total" is added. */
export interface Metrics {
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  gauge<L extends string = never>(name: string, help: string, labels?: readonly L[]): Gauge<L>;
  /** `buckets` are upper bounds, in the unit that the name says. */
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): Histogram<L>;
  /** A gauge read at every scrape; it has no sample while `read` returns undefined or throws. `labels` are constant. */
  derivedGauge(
    name: string,
    help: string,
    read: () => number | undefined,
    labels?: Readonly<Record<string, string>>,
  ): void;
  /** All metrics in the Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/**
 * Metrics in a registry of their own, so that two processes in one test do not meet.
 *
 * `prefix` comes before every name, those of the process metrics (CPU, memory, event loop; off by default) included. A name
 * given twice, or one Prometheus does not allow, throws.
 * @example
 * ```ts
 * import { createMetrics } from "@signet/runtime";
 * const metrics = createMetrics({ prefix: "istio_agent_" });
 * const requests = metrics.counter("num_outgoing_requests", "Requests sent.", ["request_type"]);
 * requests.add({ request_type: "csr" });
 * await metrics.text();
 * ```
 */
export function createMetrics(options: { readonly prefix?: string; readonly processMetrics?: boolean } = {}): Metrics {
  const { prefix = "", processMetrics = false } = options;
  // The plain text format: prom-client appends "_total" to counters only in OpenMetrics.
  const registry = new Registry();
  const registers = [registry];
  if (processMetrics) {
    // The default of 10ms wakes an idle process a hundred times a second.
    collectDefaultMetrics({ register: registry, prefix, eventLoopMonitoringPrecision: 100 });
  }

  return {
    counter(name, help, labels = []) {
      const metric = new PromCounter({ name: prefix + name, help, labelNames: labels, registers });
      return { add: (values, n = 1) => metric.inc(values, n) };
    },
    gauge(name, help, labels = []) {
      const metric = new PromGauge({ name: prefix + name, help, labelNames: labels, registers });
      return { set: (values, value) => metric.set(values, value) };
    },
    histogram(name, help, buckets, labels = []) {
      const metric = new PromHistogram({
        name: prefix + name,
        help,
        buckets: [...buckets],
        labelNames: labels,
        registers,
      });
      return { observe: (values, value) => metric.observe(values, value) };
    },
    derivedGauge(name, help, read, labels = {}) {
      const metric = new PromGauge({
        name: prefix + name,
        help,
        labelNames: Object.keys(labels),
        registers: [registry],
        collect,
      });
      function collect(): void {
        const value = readingOf(read);
        if (value === undefined) metric.remove(labels);
        else metric.set(labels, value);
      }
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** One broken reading must not take the whole scrape down with it. */
function readingOf(read: () => number | undefined): number | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
