import { create, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import { createSource } from "@signet/runtime";
import { advanceDeltaSecretStream, openDeltaSecretStream } from "../sds/delta-secret-stream.ts";
import { serveSds } from "../sds/sds-server.ts";
import { advanceSecretStream, openSecretStream, type SecretSnapshot, secretTypeUrl } from "../sds/secret-stream.ts";

export type {
  DeltaSecretResponse,
  DeltaSecretStreamEvent,
  DeltaSecretStreamState,
  DeltaSecretStreamStep,
} from "../sds/delta-secret-stream.ts";
export type {
  SecretResponse,
  SecretSnapshot,
  SecretStreamEvent,
  SecretStreamState,
  SecretStreamStep,
} from "../sds/secret-stream.ts";

/**
 * The state machines behind the two streaming methods of SDS, for those who drive them with anything at all.
 * @example
 * ```ts
 * import { secretStreams } from "@signet/agent/testing";
 * const state = secretStreams.stateOfTheWorld.open("stream-1");
 * secretStreams.stateOfTheWorld.advance(state, { kind: "secrets", snapshot: { version: "1", secrets: new Map() } });
 * ```
 */
export const secretStreams: {
  readonly stateOfTheWorld: { readonly open: typeof openSecretStream; readonly advance: typeof advanceSecretStream };
  readonly incremental: {
    readonly open: typeof openDeltaSecretStream;
    readonly advance: typeof advanceDeltaSecretStream;
  };
} = {
  stateOfTheWorld: { open: openSecretStream, advance: advanceSecretStream },
  incremental: { open: openDeltaSecretStream, advance: advanceDeltaSecretStream },
};

/**
 * A snapshot in which each of the names has a secret, and each secret says its name and the version.
 * @example
 * ```ts
 * import { testSnapshot } from "@signet/agent/testing";
 * testSnapshot("1", ["default", "ROOTCA"]).secrets.get("default");
 * ```
 */
export function testSnapshot(version: string, names: readonly string[], padding = 0): SecretSnapshot {
  const secrets = names.map(
    (name) => [name, { revision: version, resource: secretOf(name, version, padding) }] as const,
  );
  return { version, secrets: new Map(secrets) };
}

function secretOf(name: string, version: string, padding: number): Any {
  const value = new TextEncoder().encode(`${name} ${version}${" ".repeat(padding)}`);
  const trustedCa = { specifier: { case: "inlineBytes", value } } as const;
  const secret = create(SecretSchema, { name, type: { case: "validationContext", value: { trustedCa } } });
  return create(AnySchema, { typeUrl: secretTypeUrl, value: toBinary(SecretSchema, secret) });
}

/** The agent's SDS server alone, with secrets that a test makes up. */
export interface ServedTestSds {
  publish(snapshot: SecretSnapshot): void;
  /** What the server took for a failure of its own. */
  readonly failures: readonly unknown[];
  /** Streams that are open now. */
  openStreams(): number;
  close(): Promise<void>;
}

/**
 * Serves SDS on a Unix socket.
 * @example
 * ```ts
 * import { serveTestSds, testSnapshot } from "@signet/agent/testing";
 * const server = await serveTestSds("/tmp/test-sds.sock");
 * server.publish(testSnapshot("1", ["default"]));
 * await server.close();
 * ```
 */
export async function serveTestSds(socketPath: string): Promise<ServedTestSds> {
  const snapshots = createSource<SecretSnapshot>();
  const failures: unknown[] = [];
  let streams = 0;
  let open = 0;
  const newStreamId = (): string => {
    streams += 1;
    return `t-${streams}`;
  };
  const files = { follow: () => undefined, settled: async () => undefined };
  const events = {
    opened() {
      open += 1;
    },
    closed() {
      open -= 1;
    },
    sent() {},
    noticed() {},
    failed: (error: unknown) => void failures.push(error),
  };
  const listener = await serveSds({ socketPath, socketMode: 0o600, snapshots, newStreamId, files }, events);
  return { publish: snapshots.publish, failures, openStreams: () => open, close: () => listener.drain(0) };
}
