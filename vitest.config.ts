import { defineConfig, type ViteUserConfigExport } from "vitest/config";

const config: ViteUserConfigExport = defineConfig({
  test: {
    projects: [
      {
        test: { name: "unit", include: ["packages/*/src/**/*.test.ts", "tools/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        // A seeded slice, or as many cases as SIGNET_FUZZ_RUNS asks for.
        test: { name: "fuzz", include: ["test/fuzz/**/*.test.ts"], hookTimeout: 60_000 },
      },
      {
        // Real processes and real Envoys: one file at a time, so that two cores are enough.
        test: {
          name: "e2e",
          include: ["test/{conformance,differential,e2e,chaos}/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Servers of others, Vault and Kubernetes: large, so one file at a time here too.
        test: {
          name: "real",
          include: ["test/real/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});

export default config;
