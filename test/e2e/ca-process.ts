import { runCaServer } from "@signet/ca-server";

// `signet ca` without the CLI, for tests of the process itself.
process.exitCode = await runCaServer(process.argv.slice(2), process.env);
