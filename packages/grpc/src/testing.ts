import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CallContext,
  type Channel,
  type ConnectOptions,
  connect,
  type GrpcListener,
  metadataFrom,
  plaintextCredentials,
  type ServeOptions,
  type ServiceBinding,
  serve,
} from "./index.ts";

/** What `testPair` may be given besides services. */
export type TestPairOptions = {
  readonly serve?: Omit<Partial<ServeOptions>, "listen" | "services">;
  readonly connect?: Omit<Partial<ConnectOptions>, "address">;
};

/** A server on a Unix socket of its own and a Channel to it. */
export interface TestPair {
  readonly channel: Channel;
  readonly listener: GrpcListener;
  readonly socketPath: string;
  /** Closes the channel, cuts what is left and removes the socket's directory. */
  close(): Promise<void>;
}

/** Serves `services` on a temporary Unix socket and connects to it. */
export async function testPair(services: readonly ServiceBinding[], options: TestPairOptions = {}): Promise<TestPair> {
  const directory = await mkdtemp(join(tmpdir(), "signet-grpc-"));
  const socketPath = join(directory, "socket");
  const removeDirectory = (): Promise<void> => rm(directory, { recursive: true, force: true });
  const listener = await serve({
    credentials: plaintextCredentials(),
    ...options.serve,
    services,
    listen: { socketPath, mode: 0o600 },
  }).catch(async (error: unknown) => {
    await removeDirectory();
    throw error;
  });
  const channel = connect({ ...options.connect, address: `unix:${socketPath}` });
  return {
    channel,
    listener,
    socketPath,
    async close() {
      channel.close();
      await listener.drain(0);
      await removeDirectory();
    },
  };
}

/** A CallContext for calling a handler without a server: a signal that never aborts, no metadata, a peer on a Unix socket. */
export function testContext(overrides: Partial<CallContext> = {}): CallContext {
  return {
    signal: new AbortController().signal,
    metadata: metadataFrom({}),
    peer: { address: "unix", transport: "unix" },
    ...overrides,
  };
}
