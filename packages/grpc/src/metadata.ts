import { Metadata } from "@grpc/grpc-js";

/** Request headers or trailers, by lower-case name. */
export interface ReadonlyMetadata {
  /** Every value of `name`, in order; none if it is absent. Values of names ending in `-bin` are base64. */
  get(name: string): readonly string[];
}

/** Metadata to send, by name. Values of names ending in `-bin` are base64. */
export type MetadataInit = Readonly<Record<string, string | readonly string[]>>;

/**
 * `init` as metadata that can be read; names become lower case.
 * @example
 * ```ts
 * import { metadataFrom } from "@signet/grpc";
 * metadataFrom({ ClusterID: "Kubernetes" }).get("clusterid"); // ["Kubernetes"]
 * ```
 */
export function metadataFrom(init: MetadataInit): ReadonlyMetadata {
  const values = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(init)) {
    values.set(name.toLowerCase(), typeof value === "string" ? [value] : [...value]);
  }
  return { get: (name) => values.get(name.toLowerCase()) ?? [] };
}

/** What grpc-js received, as ours. */
export function readableMetadata(metadata: Metadata): ReadonlyMetadata {
  return {
    get: (name) => metadata.get(name).map((value) => (typeof value === "string" ? value : value.toString("base64"))),
  };
}

/** What we send, as grpc-js wants it; throws on a name or value that HTTP/2 cannot carry. */
export function grpcMetadata(init: MetadataInit): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(init)) {
    for (const one of typeof value === "string" ? [value] : value) {
      metadata.add(name, name.toLowerCase().endsWith("-bin") ? Buffer.from(one, "base64") : one);
    }
  }
  return metadata;
}

/** What grpc-js received, as we would have sent it. */
export function receivedMetadata(metadata: Metadata): MetadataInit {
  const readable = readableMetadata(metadata);
  return Object.fromEntries(Object.keys(metadata.getMap()).map((name) => [name, readable.get(name)]));
}
