import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connect } from "@signet/grpc";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair } from "@signet/x509";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCertificate, type OidcIssuer, startOidcIssuer, testEnv } from "./ca-server-fixture.ts";
import { type CaProcess, spawnCa } from "./spawn-ca.ts";

const run = promisify(execFile);
const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const csr = createCsr({ key: await generateKeyPair("P-256"), spiffeId });

let directory: string;
let issuer: OidcIssuer;
let env: Record<string, string>;
let started: CaProcess[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-ca-process-"));
  issuer = await startOidcIssuer();
  env = testEnv(directory, issuer.issuer);
  started = [];
});

afterEach(async () => {
  for (const { child, exit } of started) {
    child.kill("SIGKILL");
    await exit;
  }
  await issuer.close();
  await rm(directory, { recursive: true, force: true });
});

function start(extra: Readonly<Record<string, string>> = {}, args: readonly string[] = []): CaProcess {
  const ca = spawnCa({ ...env, ...extra }, args);
  started.push(ca);
  return ca;
}

async function startAndIssue(): Promise<{ ca: CaProcess; chain: readonly string[] }> {
  const ca = start();
  const { caAddress } = await ca.logged("ca server started");
  const rootCertificatesPem = await readFile(join(directory, "state", "root-cert.pem"), "utf8");
  const channel = connect({ address: String(caAddress), tls: { rootCertificatesPem } });
  const answer = await createCertificate(channel, { csr, token: issuer.sign() });
  channel.close();
  if (answer.kind === "refused") throw new Error(answer.message);
  return { ca, chain: answer.chain };
}

describe("the CA server process", () => {
  it("has the same root after kill -9, at whatever moment, and its old certificates verify under it", async () => {
    const first = await startAndIssue();
    first.ca.child.kill("SIGKILL");
    expect(await first.ca.exit).toBe("SIGKILL");
    for (const afterMs of [0, 20, 60, 120, 200]) {
      const killed = start();
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      killed.child.kill("SIGKILL");
      await killed.exit;
    }
    const second = await startAndIssue();
    expect(second.chain.at(-1)).toBe(first.chain.at(-1));
    await writeFile(join(directory, "leaf.pem"), first.chain[0] ?? "");
    await writeFile(join(directory, "root.pem"), second.chain.at(-1) ?? "");
    const verify = ["verify", "-x509_strict", "-CAfile", join(directory, "root.pem"), join(directory, "leaf.pem")];
    expect((await run("openssl", verify)).stdout).toContain("OK");
  });

  it("makes one root although its first start is killed at many moments", async () => {
    const states = new Set<string>();
    for (const afterMs of [150, 200, 250, 300, 350, 400]) {
      const killed = start();
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      killed.child.kill("SIGKILL");
      await killed.exit;
      const state = await readFile(join(directory, "state", "ca.json"), "utf8").catch(() => undefined);
      if (state !== undefined) states.add(state);
    }
    const { chain } = await startAndIssue();
    states.add(await readFile(join(directory, "state", "ca.json"), "utf8"));
    expect(states.size).toBe(1);
    expect([...states].join()).toContain(JSON.stringify(chain.at(-1)).slice(1, -1));
  });

  it("keeps its state for itself alone", async () => {
    await startAndIssue();
    const modeOf = async (path: string) => ((await stat(join(directory, "state", path))).mode & 0o777).toString(8);
    expect([await modeOf("."), await modeOf("ca.json"), await modeOf("root-cert.pem")]).toEqual(["700", "600", "600"]);
    const second = start();
    expect(await second.exit).toBe(1);
    expect(second.output.stderr).toMatch(/^signet ca: cannot start: .*\n$/);
    expect(second.output.stderr).toContain(String(started[0]?.child.pid));
  });

  it.each<NodeJS.Signals>(["SIGTERM", "SIGINT"])(
    "ends cleanly by %s, with nothing on standard output",
    async (signal) => {
      const { ca } = await startAndIssue();
      ca.child.kill(signal);
      expect(await ca.exit).toBe(0);
      expect(ca.output.stdout).toBe("");
      expect(ca.output.stderr).toContain('"msg":"ca server stopped"');
      expect(ca.output.stderr).not.toContain(issuer.sign().split(".")[0]);
    },
  );

  it("reports every bad setting at once and exits with 2", async () => {
    const ca = start({ DEFAULT_WORKLOAD_CERT_TTL: "a day", SIGNET_TRUST_DOMAIN: "NO" }, ["--no-such-flag"]);
    expect(await ca.exit).toBe(2);
    expect(ca.output.stderr.trim().split("\n")).toHaveLength(3);
    expect(ca.output.stderr).toMatch(/^(signet ca: .*\n){3}$/);
    expect(ca.output.stdout).toBe("");
  });

  it("says in one line why it cannot start and exits with 1", async () => {
    await mkdir(join(directory, "cacerts"));
    await writeFile(join(directory, "cacerts", "ca-cert.pem"), "");
    const ca = start();
    expect(await ca.exit).toBe(1);
    expect(ca.output.stderr).toMatch(/^signet ca: cannot start: .* missing\n$/);
  });

  it("says it once, and where", async () => {
    await writeFile(join(directory, "cacerts"), "");
    const noDirectory = start();
    expect(await noDirectory.exit).toBe(1);
    expect(noDirectory.output.stderr.match(/ENOTDIR/g)).toHaveLength(1);
    await rm(join(directory, "cacerts"));

    const first = start();
    await first.logged("ca server ready");
    first.child.kill("SIGTERM");
    await first.exit;
    const path = join(directory, "state", "ca.json");
    const state = JSON.parse(await readFile(path, "utf8"));
    await writeFile(path, JSON.stringify({ ...state, rootCertificatesPem: "none" }));
    const damaged = start();
    expect(await damaged.exit).toBe(1);
    expect(damaged.output.stderr).toContain(`CA state in ${join(directory, "state")}: root-cert.pem`);
  });

  it("prints its settings for --help and exits with 0", async () => {
    const ca = start({}, ["--help"]);
    expect(await ca.exit).toBe(0);
    expect(ca.output.stdout).toContain("SIGNET_CA_LISTEN");
    expect(ca.output.stderr).toBe("");
  });
});
