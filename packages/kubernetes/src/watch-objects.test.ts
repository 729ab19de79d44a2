import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { type ConfigMap, resources, type WatchEvent } from "./index.ts";
import { createKubernetesApi } from "./kubernetes-client.ts";
import type { Transport } from "./transport.ts";

const { configMaps } = resources;

/** A transport whose one answer is these pieces of a body; one that is an Error breaks the connection. */
function transportOf(pieces: readonly (string | Uint8Array | Error)[]): Transport {
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) {
      if (piece instanceof Error) throw piece;
      yield Buffer.from(piece);
    }
  }
  return {
    server: "https://api.example",
    send: async () => ({ status: 200, header: () => undefined, body: body(), discard: () => undefined }),
    distrustIdle: () => undefined,
    close: () => undefined,
  };
}

async function watch(
  pieces: readonly (string | Uint8Array | Error)[],
): Promise<{ events: readonly WatchEvent<ConfigMap>[]; failure?: unknown }> {
  const api = createKubernetesApi(transportOf(pieces), { clock: new FakeClock(), limits: { maxResponseBytes: 1_000 } });
  const events: WatchEvent<ConfigMap>[] = [];
  try {
    const signal = new AbortController().signal;
    for await (const event of api.watch(configMaps, { resourceVersion: "1" }, signal)) events.push(event);
  } catch (failure) {
    return { events: events.slice(1), failure };
  }
  return { events: events.slice(1) };
}

const object = { metadata: { namespace: "demo", name: "grüße", resourceVersion: "2" } };
const line = (event: unknown): string => `${JSON.stringify(event)}\n`;
const added = line({ type: "ADDED", object });

describe("watch", () => {
  it("reads events however the stream is cut into pieces", async () => {
    const bytes = Buffer.from(`${added}\n${line({ type: "DELETED", object })}${line({ type: "MODIFIED", object })}`);
    for (const size of [1, 2, 7, 64, 1_000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );
      const { events, failure } = await watch(pieces);
      expect(failure).toBeUndefined();
      expect(events).toEqual(["added", "deleted", "modified"].map((kind) => ({ kind, object })));
    }
  });

  it("reads a bookmark, which has no name", async () => {
    const bookmark = { type: "BOOKMARK", object: { metadata: { resourceVersion: "9", creationTimestamp: null } } };
    expect(await watch([line(bookmark)])).toEqual({ events: [{ kind: "bookmark", resourceVersion: "9" }] });
  });

  it.each<[string, number, string]>([
    ["Expired", 410, "gone"],
    ["InternalError", 500, "unavailable"],
    ["TooManyRequests", 429, "too-many-requests"],
    ["Unauthorized", 401, "unauthorized"],
    ["Weird", 200, "unavailable"],
  ])("throws an ERROR event: %s", async (reason, code, expected) => {
    const status = { kind: "Status", status: "Failure", reason, code, message: "words" };
    const { events, failure } = await watch([added, line({ type: "ERROR", object: status }), added]);
    expect(failure).toMatchObject({ code: expected });
    expect(events).toHaveLength(1);
  });

  it("throws an ERROR event that says nothing", async () => {
    expect((await watch([line({ type: "ERROR", object: null })])).failure).toMatchObject({ code: "unavailable" });
  });

  it.each<[string, string]>([
    ["no JSON", "hello\n"],
    ["no event", "[]\n"],
    ["an event of an unknown type", line({ type: "CHANGED", object })],
    ["an event named like a method", line({ type: "toString", object })],
    ["an event without an object", line({ type: "ADDED" })],
    ["an object without a version", line({ type: "ADDED", object: { metadata: { name: "a" } } })],
    ["an object without a name", line({ type: "ADDED", object: { metadata: { resourceVersion: "2" } } })],
    ["a field of another type", line({ type: "ADDED", object: { ...object, data: { a: 1 } } })],
    ["a bookmark without a version", line({ type: "BOOKMARK", object: {} })],
  ])("throws for %s, after what came before", async (_, wrong) => {
    const { events, failure } = await watch([added, wrong]);
    expect(failure).toMatchObject({ code: "response-malformed" });
    expect(events).toHaveLength(1);
  });

  it("throws when the stream ends inside an event, or breaks", async () => {
    expect((await watch([added, added.slice(0, 20)])).failure).toMatchObject({ code: "unavailable" });
    const broken = new Error("reset");
    expect((await watch([added, broken])).failure).toBe(broken);
  });

  it("throws for an event above the bound, also before its end", async () => {
    const large = line({ type: "ADDED", object: { ...object, data: { a: "x".repeat(1_000) } } });
    expect((await watch([large])).failure).toMatchObject({ code: "response-too-large" });
    expect((await watch([added, large.slice(0, 600), large.slice(600, 1_010)])).failure).toMatchObject({
      code: "response-too-large",
    });
  });
});
