import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createLogger, errorMessage, runGroup, shutdownSignal } from "@signet/runtime";
import { openLoginGateway } from "./open-login-gateway.ts";

const usage = `node deploy/examples/oidc-login/main.ts --issuer <URL> --client-id <id> --upstream <URL> --public-url <URL> [options]

  --public-url <URL>            where browsers find this gateway; the provider knows <URL>/callback
  --client-secret-file <file>   the client's secret; without it the client is a public one
  --listen <host:port>          127.0.0.1:8080 unless given, port 0 takes a free one
`;

const logger = createLogger({ name: "oidc-login", level: "info" });
const signal = shutdownSignal();

try {
  const { values } = parseArgs({
    options: {
      issuer: { type: "string" },
      "client-id": { type: "string" },
      "client-secret-file": { type: "string" },
      upstream: { type: "string" },
      "public-url": { type: "string" },
      listen: { type: "string", default: "127.0.0.1:8080" },
    },
  });
  const {
    issuer,
    upstream,
    listen,
    "client-id": clientId,
    "public-url": publicUrl,
    "client-secret-file": file,
  } = values;
  if (issuer === undefined || upstream === undefined || clientId === undefined || publicUrl === undefined) {
    throw new Error("--issuer, --client-id, --upstream and --public-url are required");
  }
  const clientSecret = file === undefined ? undefined : readFileSync(file, "utf8").trim();
  const places = { upstream: new URL(upstream), publicUrl: new URL(publicUrl) };
  const { tasks, url } = await openLoginGateway({ issuer, clientId, clientSecret, listen, ...places }, { logger });
  process.stdout.write(`listening on ${url}\n`);
  await runGroup(tasks, signal);
} catch (error) {
  process.stderr.write(`${errorMessage(error)}\n\n${usage}`);
  process.exitCode = 1;
}
