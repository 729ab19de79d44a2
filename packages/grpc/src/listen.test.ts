import { once } from "node:events";
import { connect as dialSocket, type Socket } from "node:net";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, expect, test } from "vitest";
import { bindService, connect, plaintextCredentials, serve } from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { unhurried } from "./testing/streams.ts";

const { createCertificate } = IstioCertificateService.method;
const closers = createClosers();
afterEach(() => closers.closeAll());

test.each([
  { host: "127.0.0.1", dial: "127.0.0.1", peer: /^127\.0\.0\.1:\d+$/ },
  { host: "::1", dial: "[::1]", peer: /^\[::1\]:\d+$/ },
  { host: "", dial: "127.0.0.1", peer: /^127\.0\.0\.1:\d+$/ },
])(
  "a listener on $host port 0 tells its port, and handlers the address of their peer",
  async ({ host, dial, peer }) => {
    const listener = await serve({
      listen: { host, port: 0 },
      credentials: plaintextCredentials(),
      services: [
        bindService(IstioCertificateService, {
          createCertificate: async (_request, context) => ({
            certChain: [context.peer.address, context.peer.transport],
          }),
        }),
      ],
    });
    closers.add(() => listener.drain(0));
    const port = "port" in listener.address ? listener.address.port : 0;
    const channel = connect({ address: `${dial}:${port}` });
    closers.add(() => channel.close());
    const { certChain } = await channel.unary(createCertificate, {}, unhurried);
    expect(certChain).toEqual([expect.stringMatching(peer), "plaintext"]);
  },
);

test.each([
  { host: "port of another", code: "address-in-use" },
  { host: "192.0.2.1", code: "address-unavailable" },
  { host: "no-such-host.invalid", code: "address-unavailable" },
] as const)("listening on the $host fails with $code", async ({ host, code }) => {
  const options = { credentials: plaintextCredentials(), services: [] };
  const other = await serve({ ...options, listen: { host: "127.0.0.1", port: 0 } });
  closers.add(() => other.drain(0));
  const taken = "port" in other.address ? other.address.port : 0;
  const listen = code === "address-in-use" ? { host: "127.0.0.1", port: taken } : { host, port: 0 };
  await expect(serve({ ...options, listen })).rejects.toMatchObject({ code });
});

test("connections over the limit are closed at once, and accepted again when others have gone", async () => {
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    services: [],
    maxConnections: 2,
  });
  closers.add(() => listener.drain(0));
  const port = "port" in listener.address ? listener.address.port : 0;
  const dial = async (): Promise<Socket> => {
    const socket = dialSocket(port, "127.0.0.1").resume();
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  };
  const [first, second, third] = [await dial(), await dial(), await dial()];
  await once(third, "close");
  first.destroy();
  await once(first, "close");
  // The server sees the end of the first connection at a time of its own.
  for (let served = false; !served; ) {
    const next = await dial();
    served = await Promise.race([once(next, "data").then(() => true), once(next, "close").then(() => false)]);
    next.destroy();
  }
  second.destroy();
});
