import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("./index.ts", import.meta.url));
const testing = fileURLToPath(new URL("./testing.ts", import.meta.url));
const oracle = fileURLToPath(new URL("./peculiar.ts", import.meta.url));

/** Modules that a new process has loaded after importing `file`: those of npm packages, ES modules and CommonJS. */
function packagesLoadedBy(file: string): string[] {
  const program = `
    import { createRequire, registerHooks } from "node:module";
    const loaded = new Set();
    registerHooks({ load(url, context, next) { loaded.add(url); return next(url, context); } });
    await import(${JSON.stringify(file)});
    for (const path of Object.keys(createRequire(import.meta.url).cache ?? {})) loaded.add(path);
    console.log(JSON.stringify([...loaded].filter((url) => url.includes("node_modules"))));
  `;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
  const loaded: string[] = JSON.parse(output);
  return loaded;
}

describe("importing this package", () => {
  it.each([root, testing])("loads no library: %s", (file) => {
    expect(packagesLoadedBy(file)).toEqual([]);
  });

  it("would be seen to load one", () => {
    expect(packagesLoadedBy(oracle).some((url) => url.includes("@peculiar/x509"))).toBe(true);
  });
});
