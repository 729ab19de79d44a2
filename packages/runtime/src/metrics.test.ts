import { describe, expect, expectTypeOf, it } from "vitest";
import { createMetrics } from "./metrics.ts";

/** The samples of the text, without comments. */
async function samples(metrics: { text(): Promise<string> }): Promise<string[]> {
  return (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("createMetrics", () => {
  it("exposes names exactly as given: no unit, no _total", async () => {
    const metrics = createMetrics();
    metrics.counter("citadel_server_csr_count", "CSRs received.").add({});
    const failures = metrics.counter("citadel_server_csr_sign_err_count", "Signing errors.", ["error"]);
    failures.add({ error: "CSR_ERROR" }, 2);
    metrics.gauge("pilot_info", "Version.", ["version"]).set({ version: "1" }, 1);
    const text = await metrics.text();
    expect(text).toContain("# HELP citadel_server_csr_count CSRs received.\n# TYPE citadel_server_csr_count counter\n");
    expect(await samples(metrics)).toEqual([
      "citadel_server_csr_count 1",
      'citadel_server_csr_sign_err_count{error="CSR_ERROR"} 2',
      'pilot_info{version="1"} 1',
    ]);
    expect(metrics.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  });

  it("has a type for the labels", () => {
    const counter = createMetrics().counter("a", "b", ["kind"]);
    expectTypeOf(counter.add).parameter(0).toEqualTypeOf<Readonly<Record<"kind", string>>>();
  });

  it("begins counters without labels at zero", async () => {
    const metrics = createMetrics();
    metrics.counter("requests", "Requests.");
    expect(await samples(metrics)).toEqual(["requests 0"]);
  });

  it("counts into the buckets of a histogram", async () => {
    const metrics = createMetrics();
    const seconds = metrics.histogram("handling_seconds", "Time.", [0.1, 1], ["code"]);
    seconds.observe({ code: "OK" }, 0.5);
    expect(await samples(metrics)).toEqual([
      'handling_seconds_bucket{le="0.1",code="OK"} 0',
      'handling_seconds_bucket{le="1",code="OK"} 1',
      'handling_seconds_bucket{le="+Inf",code="OK"} 1',
      'handling_seconds_sum{code="OK"} 0.5',
      'handling_seconds_count{code="OK"} 1',
    ]);
  });

  it("puts the prefix before every name, those of the process too", async () => {
    const metrics = createMetrics({ prefix: "istio_agent_", processMetrics: true });
    metrics.counter("num_outgoing_requests", "Requests.", ["request_type"]).add({ request_type: "csr" });
    const lines = await samples(metrics);
    expect(lines).toContain('istio_agent_num_outgoing_requests{request_type="csr"} 1');
    expect(lines.some((line) => line.startsWith("istio_agent_process_resident_memory_bytes "))).toBe(true);
    expect(lines.filter((line) => !line.startsWith("istio_agent_"))).toEqual([]);
  });

  it.each([
    ["without labels", {}, "expiry_seconds -5"],
    ["with constant labels", { resource_name: "default" }, 'expiry_seconds{resource_name="default"} -5'],
  ])(
    "reads a derived gauge %s at every scrape and leaves its sample out while there is none",
    async (_, labels, sample) => {
      const metrics = createMetrics();
      let value: number | undefined;
      metrics.derivedGauge("expiry_seconds", "Seconds left.", () => value, labels);
      expect(await samples(metrics)).toEqual([]);
      value = -5;
      expect(await samples(metrics)).toEqual([sample]);
      value = undefined;
      expect(await samples(metrics)).toEqual([]);
    },
  );

  it("leaves a derived gauge out whose reading fails, and serves the others", async () => {
    const metrics = createMetrics();
    metrics.derivedGauge("broken", "Broken.", () => {
      throw new Error("broken");
    });
    metrics.counter("requests", "Requests.");
    expect(await samples(metrics)).toEqual(["requests 0"]);
  });

  it("keeps registries apart and refuses a name given twice", () => {
    const metrics = createMetrics();
    createMetrics().counter("requests", "Requests.");
    metrics.counter("requests", "Requests.");
    expect(() => metrics.gauge("requests", "Requests.")).toThrow("already been registered");
  });

  it("refuses to count backwards", () => {
    const counter = createMetrics().counter("requests", "Requests.");
    expect(() => counter.add({}, -1)).toThrow();
  });
});
