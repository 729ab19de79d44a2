import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./go/verify-chains.go", import.meta.url));

/** A chain to be judged, in PEM. */
export type ChainQuestion = { readonly leaf: string; readonly intermediates: string; readonly roots: string };

/** Go's crypto/x509, where Go is installed. */
export interface GoX509 {
  /** Why there is none; then everything else fails. */
  readonly missing?: string;
  /** Returns for each chain why Go refuses it; an empty text means that it does not. */
  verify(questions: readonly ChainQuestion[]): readonly string[];
}

/** Returns Go's crypto/x509, or one that says why there is none to be had; only tests against real servers need Go. */
export function findGo(): GoX509 {
  const found = spawnSync("go", ["version"], { encoding: "utf8" });
  const missing = found.status === 0 ? undefined : "go is not installed";
  return { ...(missing !== undefined && { missing }), verify };
}

function verify(questions: readonly ChainQuestion[]): readonly string[] {
  const { status, stdout, stderr } = spawnSync("go", ["run", program], {
    input: JSON.stringify(questions),
    encoding: "utf8",
    env: { ...process.env, CGO_ENABLED: "0", GOPROXY: "off", GOFLAGS: "" },
    timeout: 240_000,
  });
  if (status !== 0) throw new Error(`go run failed with ${status}: ${stderr}`);
  const answers: unknown = JSON.parse(stdout);
  if (!Array.isArray(answers)) throw new Error("go wrote no list");
  return answers.map(String);
}
