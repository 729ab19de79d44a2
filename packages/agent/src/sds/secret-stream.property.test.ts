import { create } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EnvoySdsClientModel, envoySdsClientModel } from "../testing/envoy-sds-client-model.ts";
import { parseSecretName, type SecretName } from "./secret-names.ts";
import {
  advanceSecretStream,
  openSecretStream,
  type SdsSecret,
  type SecretRequest,
  type SecretResponse,
  type SecretSnapshot,
  type SecretStreamEvent,
  type SecretStreamState,
  secretTypeUrl,
} from "./secret-stream.ts";

type Command =
  | { readonly do: "subscribe"; readonly names: readonly string[] }
  | { readonly do: "publish"; readonly changed: readonly SecretName[] }
  | { readonly do: "deliver-request" }
  | { readonly do: "deliver-response"; readonly reject: boolean }
  | { readonly do: "forge"; readonly request: SecretRequest }
  | { readonly do: "reconnect" };

const anyName = fc.constantFrom("default", "ROOTCA", "kubernetes://x", "Default", "");
const names = fc.array(anyName, { maxLength: 4 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("subscribe" as const), names }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      changed: fc.subarray<SecretName>(["default", "ROOTCA"], { minLength: 1 }),
    }),
  },
  { weight: 8, arbitrary: fc.constant({ do: "deliver-request" as const }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("deliver-response" as const),
      reject: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "reconnect" as const }) },
);

/** A request that no Envoy would send: any nonce, any version, an error out of the blue. */
const forgery: fc.Arbitrary<Command> = fc.record({
  do: fc.constant("forge" as const),
  request: fc.record(
    {
      nodeId: fc.constantFrom("", "node"),
      typeUrl: fc.constantFrom(secretTypeUrl, "", "other"),
      resourceNames: names,
      responseNonce: fc.constantFrom("", "1.1", "1.2", "x"),
      versionInfo: fc.constantFrom("", "v1", "v2"),
      errorDetail: fc.constant("forged"),
    },
    { requiredKeys: ["nodeId", "typeUrl", "resourceNames", "responseNonce", "versionInfo"] },
  ),
});

/** One agent and one Envoy with everything that is under way between them. */
class World {
  readonly envoy: EnvoySdsClientModel = envoySdsClientModel("node");
  readonly rejected: Set<Any> = new Set();
  readonly sentNonces: Set<string> = new Set();
  #streams = 0;
  #published = 0;
  #snapshot: SecretSnapshot | undefined;
  #server: SecretStreamState = openSecretStream("0");
  #requests: SecretRequest[] = [];
  #responses: SecretResponse[] = [];

  constructor() {
    this.#reconnect();
  }

  run(one: Command): void {
    if (one.do === "subscribe") this.#send(this.envoy.subscribe(one.names));
    if (one.do === "publish") this.#publish(one.changed);
    if (one.do === "deliver-request") this.#deliverRequest();
    if (one.do === "deliver-response") this.#deliverResponse(one.reject);
    if (one.do === "forge") this.#advance({ kind: "request", request: one.request });
    if (one.do === "reconnect") this.#reconnect();
  }

  /** Lets everything that is under way arrive, and accepts it. */
  settle(): void {
    for (let round = 0; this.#requests.length + this.#responses.length > 0; round += 1) {
      if (round > 100) throw new Error("agent and Envoy keep answering each other");
      this.#deliverRequest();
      this.#deliverResponse(false);
    }
  }

  latest(name: SecretName): Any | undefined {
    return this.#snapshot?.secrets.get(name)?.resource;
  }

  #send(request: SecretRequest | undefined): void {
    if (request !== undefined) this.#requests.push(request);
  }

  #publish(changed: readonly SecretName[]): void {
    this.#published += 1;
    const version = `v${this.#published}`;
    const secrets = new Map<SecretName, SdsSecret>(this.#snapshot?.secrets);
    for (const name of changed) secrets.set(name, { revision: version, resource: materialOf(name, version) });
    this.#snapshot = { version, secrets };
    this.#advance({ kind: "secrets", snapshot: this.#snapshot });
  }

  #reconnect(): void {
    this.#streams += 1;
    this.#requests = [];
    this.#responses = [];
    this.#server = openSecretStream(String(this.#streams));
    this.#send(this.envoy.connect());
    if (this.#snapshot !== undefined) this.#advance({ kind: "secrets", snapshot: this.#snapshot });
  }

  #deliverRequest(): void {
    const request = this.#requests.shift();
    if (request !== undefined) this.#advance({ kind: "request", request });
  }

  #deliverResponse(reject: boolean): void {
    const response = this.#responses.shift();
    if (response === undefined) return;
    if (reject) for (const resource of response.resources) this.rejected.add(resource);
    this.#send(this.envoy.receive(response, reject ? "no" : undefined));
  }

  #advance(event: SecretStreamEvent): void {
    const { state, response } = advanceSecretStream(this.#server, event);
    this.#server = state;
    if (response === undefined) return;
    expect(response.resources.length).toBeGreaterThan(0);
    expect(response.names).toHaveLength(response.resources.length);
    for (const [index, name] of response.names.entries()) {
      expect(state.subscribed).toContain(name);
      expect(response.resources[index]).toBe(this.latest(name));
    }
    expect(this.sentNonces).not.toContain(response.nonce);
    this.sentNonces.add(response.nonce);
    this.#responses.push(response);
  }
}

function materialOf(name: SecretName, version: string): Any {
  return create(AnySchema, { typeUrl: secretTypeUrl, value: new TextEncoder().encode(`${name} ${version}`) });
}

describe("any interleaving of requests, answers, pushes and reconnects", () => {
  it("leaves Envoy with the latest material of every known name it asks for, unless it refused exactly that", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40, size: "max" }), (commands) => {
        const world = new World();
        for (const one of commands) world.run(one);
        world.settle();
        for (const name of world.envoy.subscribed) {
          if (parseSecretName(name) === undefined) {
            expect(world.envoy.held.has(name)).toBe(false);
            continue;
          }
          const latest = world.latest(name);
          if (latest !== undefined && world.rejected.has(latest)) continue;
          expect(world.envoy.held.get(name)).toBe(latest);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("never sends an empty response, a name not asked for or a nonce twice, whatever a client sends", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(command, forgery), { maxLength: 40, size: "max" }), (commands) => {
        const world = new World();
        for (const one of commands) world.run(one);
      }),
      { numRuns: 2_000 },
    );
  });
});
