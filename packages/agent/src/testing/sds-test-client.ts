import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { connect } from "@signet/grpc";
import { SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import type { DiscoveryRequestSchema, DiscoveryResponse } from "@signet/protos/envoy/service/discovery/v3/discovery";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { envoyDiscoveryRequest, envoySdsClientModel } from "./envoy-sds-client-model.ts";

type Request = MessageInitShape<typeof DiscoveryRequestSchema>;

/** One SDS stream on a Unix socket, driven by hand. */
export interface SdsTestStream {
  send(request: Request): void;
  /** The next response; rejects with the StatusError that ended the stream, or with an Error if it ended well. */
  next(): Promise<DiscoveryResponse>;
  /** Says that no more requests will come. */
  end(): void;
  close(): void;
}

/**
 * Opens a stream to the SDS server at `socketPath`.
 * @example
 * ```ts
 * import { openSdsStream } from "@signet/agent/testing";
 * const stream = openSdsStream("/tmp/sds.sock");
 * stream.send({ node: { id: "frontend-1" }, resourceNames: ["default"] });
 * await stream.next();
 * stream.close();
 * ```
 */
export function openSdsStream(socketPath: string): SdsTestStream {
  const requests = createRequests();
  const channel = connect({ address: `unix:${socketPath}` });
  const stop = new AbortController();
  const responses = channel
    .stream(SecretDiscoveryService.method.streamSecrets, requests.iterable, { signal: stop.signal })
    [Symbol.asyncIterator]();
  // A call begins with its first read, and a test wants it to begin now.
  let first: ReturnType<typeof responses.next> | undefined = responses.next();
  first.catch(() => undefined);
  return {
    send: requests.push,
    async next() {
      const pending = first ?? responses.next();
      first = undefined;
      const result = await pending;
      if (result.done === true) throw new Error("the stream has ended");
      return result.value;
    },
    end: requests.end,
    close() {
      stop.abort();
      channel.close();
    },
  };
}

/** What a subscriber holds, by name: the PEM text of chain, key or bundle. */
export type HeldSecrets = ReadonlyMap<string, SecretTexts>;
export type SecretTexts = { readonly chain?: string; readonly key?: string; readonly bundle?: string };

/**
 * Subscribes as Envoy does and acknowledges everything; `until` resolves when what is held satisfies its condition.
 * @example
 * ```ts
 * import { subscribeSds } from "@signet/agent/testing";
 * const envoy = subscribeSds("/tmp/sds.sock", ["default", "ROOTCA"]);
 * const held = await envoy.until((secrets) => secrets.size === 2);
 * held.get("default")?.chain;
 * envoy.close();
 * ```
 */
export function subscribeSds(
  socketPath: string,
  names: readonly string[],
): { until(condition: (held: HeldSecrets) => boolean): Promise<HeldSecrets>; close(): void } {
  const model = envoySdsClientModel("test-client");
  const held = new Map<string, SecretTexts>();
  const stream = openSdsStream(socketPath);
  model.subscribe(names);
  const first = model.connect();
  if (first !== undefined) stream.send(envoyDiscoveryRequest(first));
  return {
    async until(condition) {
      while (!condition(held)) {
        const { versionInfo, nonce, resources } = await stream.next();
        const secrets = resources.map(({ value }) => fromBinary(SecretSchema, value));
        for (const secret of secrets) held.set(secret.name, textsOf(secret));
        const answer = model.receive({ versionInfo, nonce, names: secrets.map(({ name }) => name), resources });
        stream.send(envoyDiscoveryRequest(answer));
      }
      return new Map(held);
    },
    close: stream.close,
  };
}

function textsOf({ type }: ReturnType<typeof fromBinary<typeof SecretSchema>>): SecretTexts {
  if (type.case === "validationContext") return { bundle: inlineText(type.value.trustedCa) };
  if (type.case !== "tlsCertificate") return {};
  return { chain: inlineText(type.value.certificateChain), key: inlineText(type.value.privateKey) };
}

function inlineText(
  source: { readonly specifier: { readonly case: string | undefined; readonly value?: unknown } } | undefined,
): string {
  const value = source?.specifier.case === "inlineBytes" ? source.specifier.value : undefined;
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : "";
}

function createRequests(): { readonly iterable: AsyncIterable<Request>; push(request: Request): void; end(): void } {
  const queued: Request[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  async function* iterate(): AsyncGenerator<Request, void, undefined> {
    for (;;) {
      const next = queued.shift();
      if (next !== undefined) yield next;
      else if (ended) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  return {
    iterable: iterate(),
    push(request) {
      queued.push(request);
      wake?.();
    },
    end() {
      ended = true;
      wake?.();
    },
  };
}
