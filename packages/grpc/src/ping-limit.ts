import { constants, type Http2Server, type Http2Session, type Http2Stream } from "node:http2";

/** Ends connections whose clients ping too often. */
export interface PingLimit {
  /** Watches every connection of `server`. */
  watch(server: Http2Server): void;
  /** Something was sent on `stream`: clients answer that with pings that measure the line, which are forgiven. */
  forgive(stream: Http2Stream): void;
}

/** As many pings may come too early in a row; the next one ends the connection. */
const maxStrikes = 2;

/** How long a client that is told to go away may take over the calls it has. */
const farewellMs = 1_000;

/** More than acknowledgements and window updates come to: a message that takes several round trips is on its way. */
const busyBytes = 1_024;

type Pings = { strikes: number; lastAt: number; bytesWritten: number; forgiven: boolean };

/**
 * A PingLimit of one ping in `minIntervalMs`, with gRPC's tolerance: two pings in a row may come early, and those after the
 * server sent something are not counted. The third gets GOAWAY with ENHANCE_YOUR_CALM and "too_many_pings", from which gRPC
 * clients learn to ping less often. A client without calls is held to the same interval, where grpc-go gives it two hours.
 * `minIntervalMs` 0 is no limit.
 */
export function createPingLimit(minIntervalMs: number): PingLimit {
  const bySession = new WeakMap<Http2Session, Pings>();

  function count(session: Http2Session, pings: Pings): void {
    const now = performance.now();
    const early = now - pings.lastAt < minIntervalMs;
    pings.lastAt = now;
    const { bytesWritten } = session.socket;
    const busy = bytesWritten - pings.bytesWritten > busyBytes;
    pings.bytesWritten = bytesWritten;
    if (pings.forgiven || busy) pings.strikes = 0;
    else if (early) pings.strikes += 1;
    pings.forgiven = false;
    if (pings.strikes > maxStrikes) sendAway(session);
  }

  return {
    watch(server) {
      if (minIntervalMs <= 0) return;
      server.on("session", (session) => {
        const pings = { strikes: 0, lastAt: Number.NEGATIVE_INFINITY, bytesWritten: 0, forgiven: false };
        bySession.set(session, pings);
        session.on("ping", () => count(session, pings));
      });
    },
    forgive({ session }) {
      const pings = session && bySession.get(session);
      if (pings !== undefined) pings.forgiven = true;
    },
  };
}

function sendAway(session: Http2Session): void {
  if (session.closed || session.destroyed) return;
  // Stream 0 would say that no call was looked at; the largest number says that those that came are still answered.
  session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 2 ** 31 - 1, Buffer.from("too_many_pings"));
  session.close();
  const destroy = setTimeout(() => session.destroy(), farewellMs);
  destroy.unref();
  session.once("close", () => clearTimeout(destroy));
}
