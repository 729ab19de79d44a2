import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { checkServerIdentity, type PeerCertificate, TLSSocket } from "node:tls";
import { freePorts } from "@signet/cli/testing";
import { describe, expect, it } from "vitest";
import { type AgentUnderTest, rotationsUnderLoad, startAgentUnderTest } from "./support/agent-under-test.ts";

const spiffeId = "spiffe://cluster.local/ns/demo/sa/frontend";

/** A server that reads certificates from files, as its administrator sets it up. */
type FileServer = {
  readonly name: string;
  readonly program: string;
  /** How the agent, in its own directory, tells it whenever the files are new. */
  readonly reload: Readonly<Record<string, string>>;
  configuration(options: { readonly directory: string; readonly port: number }): string;
  readonly args: readonly string[];
};

const pidFile = "server.pid";
const ifRunning = `test -s ${pidFile} || exit 0`;

const nginx: FileServer = {
  name: "nginx",
  program: "nginx",
  reload: { SIGNET_RELOAD_SIGNAL: "SIGHUP", SIGNET_RELOAD_PID_FILE: pidFile },
  args: ["-p", ".", "-c", "server.conf", "-e", "server.log"],
  configuration: ({ directory, port }) => `
    daemon off;
    pid ${directory}/${pidFile};
    worker_processes 1;
    events { worker_connections 256; }
    http {
      access_log off;
      client_body_temp_path ${directory}/nginx-body;
      proxy_temp_path ${directory}/nginx-proxy;
      fastcgi_temp_path ${directory}/nginx-fastcgi;
      uwsgi_temp_path ${directory}/nginx-uwsgi;
      scgi_temp_path ${directory}/nginx-scgi;
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${directory}/certs/cert-chain.pem;
        ssl_certificate_key ${directory}/certs/key.pem;
        location / { return 200 "hello"; }
      }
    }`,
};

// HAProxy wants the key in the same file, and replaces its worker on SIGUSR2 to the master.
const joined = "(umask 077; cat certs/cert-chain.pem certs/key.pem > new.pem) && mv new.pem server.pem";
const haproxy: FileServer = {
  name: "HAProxy",
  program: "haproxy",
  reload: { SIGNET_RELOAD_COMMAND: `${joined} || exit 1; ${ifRunning}; kill -USR2 $(cat ${pidFile})` },
  args: ["-W", "-q", "-f", "server.conf", "-p", pidFile],
  configuration: ({ directory, port }) => `
global
  maxconn 256
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend in
  bind 127.0.0.1:${port} ssl crt ${directory}/server.pem
  http-request return status 200 content-type text/plain string hello
`,
};

/** Why the server cannot be tried here; nothing when it can. */
function missing({ program }: FileServer): string {
  try {
    execFileSync(program, ["-v"], { stdio: "ignore", timeout: 20_000 });
    return "";
  } catch {
    const reason = `SKIPPED: there is no ${program} on PATH`;
    process.stderr.write(`${reason}\n`);
    return reason;
  }
}

/** One request on a connection of its own; the serial of the certificate that was shown, after all checks. */
function ask(port: number, ca: string): Promise<string> {
  const named = (_host: string, peer: PeerCertificate): Error | undefined =>
    peer.subjectaltname === `URI:${spiffeId}` ? undefined : checkServerIdentity("nobody", peer);
  return new Promise((resolve, reject) => {
    let serial = "";
    const options = { host: "127.0.0.1", port, ca, checkServerIdentity: named, agent: false, timeout: 20_000 };
    get(options, (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200 && body === "hello") resolve(serial);
        else reject(new Error(`${response.statusCode}: ${body}`));
      }, reject);
    })
      .on("socket", (socket) => {
        // Asked for at once: the server may close the connection with its answer.
        socket.once("secureConnect", () => {
          if (socket instanceof TLSSocket) serial = socket.getPeerCertificate().serialNumber;
        });
      })
      .once("error", reject);
  });
}

async function startServer(server: FileServer, under: AgentUnderTest, port: number): Promise<ChildProcess> {
  const { directory } = under;
  writeFileSync(join(directory, "server.conf"), server.configuration({ directory, port }));
  const needed = join(directory, server === haproxy ? "server.pem" : "certs/root-cert.pem");
  while (!existsSync(needed)) await sleep(20);
  const child = spawn(server.program, server.args, { cwd: directory, stdio: ["ignore", "inherit", "inherit"] });
  const root = readFileSync(join(directory, "certs/root-cert.pem"), "utf8");
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${server.name} ended with ${child.exitCode}`);
    if (await ask(port, root).then(Boolean, () => false)) return child;
    await sleep(50);
  }
}

async function stopServer(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

describe("a server that reads the agent's files and is told to reload them", () => {
  for (const server of [nginx, haproxy]) {
    const reason = missing(server);
    it.skipIf(reason !== "")(
      `${server.name} serves each new certificate, and no request is lost ${reason}`,
      async () => {
        const under = await startAgentUnderTest({ OUTPUT_CERTS: "certs", ...server.reload });
        const [port = 0] = await freePorts(1);
        let child: ChildProcess | undefined;
        try {
          child = await startServer(server, under, port);
          const root = readFileSync(join(under.directory, "certs/root-cert.pem"), "utf8");
          const seen: string[] = [];
          let requests = 0;
          while (seen.length <= rotationsUnderLoad) {
            const serials = await Promise.all([ask(port, root), ask(port, root), ask(port, root)]);
            for (const serial of serials) if (!seen.includes(serial)) seen.push(serial);
            requests += serials.length;
          }
          expect(requests).toBeGreaterThan(50);
          const issued = [...under.agent.output.stderr.matchAll(/"serialNumber":"([0-9a-f]+)"/g)].map(([, hex]) =>
            BigInt(`0x${hex}`),
          );
          for (const serial of seen) expect(issued).toContain(BigInt(`0x${serial}`));
        } catch (error) {
          process.stderr.write(under.agent.output.stderr);
          throw error;
        } finally {
          await stopServer(child);
          await under.close();
        }
      },
    );
  }
});
