import { parseArgs } from "node:util";
import { createLogger, errorMessage, runGroup, shutdownSignal } from "@signet/runtime";
import { openGateway } from "./open-gateway.ts";

const usage = `node deploy/examples/gateway/main.ts --policies <file or directory> --workload <workload> --upstream <URL>

  --listen <host:port>   where clients come to; 127.0.0.1:8080 unless given, port 0 takes a free one
  --workload <workload>  whose policies count, such as shop/app=cart
`;

const logger = createLogger({ name: "gateway", level: "info" });
const signal = shutdownSignal();

try {
  const { values } = parseArgs({
    options: {
      policies: { type: "string" },
      upstream: { type: "string" },
      listen: { type: "string", default: "127.0.0.1:8080" },
      workload: { type: "string" },
    },
  });
  const { policies, upstream, listen, workload } = values;
  if (policies === undefined || upstream === undefined || workload === undefined) {
    throw new Error("--policies, --workload and --upstream are required");
  }
  const { tasks, url } = await openGateway({ policies, upstream: new URL(upstream), listen, workload }, logger);
  process.stdout.write(`listening on ${url}\n`);
  await runGroup(tasks, signal);
} catch (error) {
  process.stderr.write(`${errorMessage(error)}\n\n${usage}`);
  process.exitCode = 1;
}
