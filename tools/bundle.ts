import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";
import { repositoryRoot } from "./workspace.ts";

/** A process that is shipped as one file: what runs it, and where that is exported. */
type Bundle = { readonly package: string; readonly run: string; readonly file: string };

/** By the folder of the package that is built. */
const bundles: Readonly<Record<string, Bundle>> = {
  agent: { package: "@signet/agent", run: "runAgent", file: "signet-agent.js" },
  "ca-server": { package: "@signet/ca-server", run: "runCaServer", file: "signet-ca.js" },
  cli: { package: "@signet/cli", run: "runSignet", file: "signet.js" },
};

const entry = "\0entry";

/**
 * Bundles one process into `dist/` of its package, as one file without comments and source map that Node 26 runs by itself; what
 * is imported on demand is in it, and evaluated on demand.
 */
async function bundle(name: string): Promise<string> {
  const found = bundles[name];
  if (found === undefined) throw new Error(`no bundle for ${JSON.stringify(name)}`);
  const directory = join(repositoryRoot, "packages", name, "dist");
  const file = join(directory, found.file);
  await mkdir(directory, { recursive: true });
  const build = await rolldown({
    input: entry,
    cwd: join(repositoryRoot, "packages", name),
    platform: "node",
    logLevel: "warn",
    checks: { eval: false },
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === entry ? id : null),
        load: (id) => (id === entry ? mainOf(found, join(repositoryRoot, "packages", name, "src/index.ts")) : null),
      },
    ],
  });
  await build.write({
    file,
    format: "esm",
    minify: true,
    codeSplitting: false,
    banner: "#!/usr/bin/env node",
  });
  await build.close();
  await chmod(file, 0o755);
  return file;
}

function mainOf({ run }: Bundle, index: string): string {
  return [
    `import { ${run} } from ${JSON.stringify(index)};`,
    `process.exitCode = await ${run}(process.argv.slice(2), process.env);`,
  ].join("\n");
}

if (import.meta.main) {
  const file = await bundle(basename(process.cwd()));
  const { size } = await stat(file);
  const lines = (await readFile(file, "utf8")).split("\n").length;
  process.stdout.write(`${file}: ${Math.round(size / 1024)} KiB, ${lines} lines\n`);
}
