import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { errorMessage, parseHostPort, type Task } from "@signet/runtime";

const closeGraceMs = 5_000;

/** Listens at `host:port`, and returns the URL. */
export async function listen(server: Server, where: string): Promise<string> {
  const { host, port } = parseHostPort(where);
  server.listen({ host, port });
  await once(server, "listening").catch((error: unknown) => {
    throw new Error(`cannot listen on ${where}: ${errorMessage(error)}`);
  });
  const { port: picked } = server.address() as AddressInfo;
  return `http://${host.includes(":") ? `[${host}]` : host}:${picked}`;
}

/** Serves until the signal, then lets requests under way end, but not for ever. */
export function serve(server: Server): Task {
  return {
    name: "serve",
    async run(signal) {
      if (!signal.aborted) await once(signal, "abort");
      const closed = once(server, "close");
      server.close();
      const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}
