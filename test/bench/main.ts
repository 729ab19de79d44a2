import { check } from "./check.ts";
import { createCertificate } from "./create-certificate.ts";
import { decide } from "./decide.ts";
import { issue } from "./issue.ts";
import type { BenchmarkCase } from "./measure.ts";
import { verifyJwt } from "./verify-jwt.ts";

/** Every benchmark there is, one file per hot path. */
const benchmarks: Readonly<Record<string, () => Promise<readonly BenchmarkCase[]>>> = {
  issue,
  check,
  "create-certificate": createCertificate,
  "verify-jwt": verifyJwt,
  decide,
};

const usage = `usage: npm run bench -- <${Object.keys(benchmarks).join("|")}> [--json]\n`;

process.exitCode = await main(process.argv.slice(2));

/** Runs one benchmark and prints a table, or with --json one object and nothing else. */
async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const [name, ...rest] = args.filter((argument) => argument !== "--json");
  const benchmark = name === undefined ? undefined : Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
  if (name === undefined || benchmark === undefined || rest.length > 0) {
    process.stderr.write(usage);
    return 2;
  }
  const cases = await benchmark();
  process.stdout.write(json ? `${JSON.stringify({ name, node: process.version, cases })}\n` : tableOf(name, cases));
  return 0;
}

function tableOf(name: string, cases: readonly BenchmarkCase[]): string {
  const rows = [
    ["case", "ours", "baseline", "ratio"],
    ...cases.map((row) => [row.case, `${row.value} ${row.unit}`, `${row.baseline} ${row.unit}`, row.ratio.toFixed(3)]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  "),
  );
  return `${name} on Node ${process.version}; ratio is a cost, 1 is the baseline, lower is better\n\n${lines.join("\n")}\n`;
}
