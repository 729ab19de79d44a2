import { Metadata } from "@grpc/grpc-js";
import type { RawHeaders } from "./raw-headers.ts";

/** Request headers or trailers, by lower-case name. */
export interface ReadonlyMetadata {
  /**
   * Every value of `name`, in order of arrival; none if it is absent. A header that came twice has two values, one with a
   * comma has one. Values of names ending in `-bin` are base64, and there a comma does separate values.
   */
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

/** Headers of the transport itself, which are no business of a handler; those beginning with ":" are not either. */
const transportHeaders: ReadonlySet<string> = new Set([
  "accept-encoding",
  "content-type",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "te",
]);

/** The headers of a request as metadata; read at each `get`, since most calls ask for two or three names. */
export function requestMetadata(headers: RawHeaders): ReadonlyMetadata {
  return {
    get(name) {
      const wanted = name.toLowerCase();
      if (wanted.startsWith(":") || transportHeaders.has(wanted)) return [];
      const values: string[] = [];
      for (let index = 0; index + 1 < headers.length; index += 2) {
        if (headers[index] === wanted) values.push(headers[index + 1] ?? "");
      }
      return wanted.endsWith("-bin") ? values.flatMap(binaryValues) : values;
    },
  };
}

/** The values of one `-bin` header: several may share it, padding may be missing, and all come out alike. */
function binaryValues(header: string): readonly string[] {
  return header.split(",").map((value) => Buffer.from(value.trim(), "base64").toString("base64"));
}

/** What grpc-js received, as ours. */
export function readableMetadata(metadata: Metadata): ReadonlyMetadata {
  return {
    get: (name) => metadata.get(name).map((value) => (typeof value === "string" ? value : value.toString("base64"))),
  };
}

/** Names that RFC 9113 section 8.2.2 keeps out of HTTP/2; Node throws when it is to send one. */
const connectionHeaders: ReadonlySet<string> = new Set([
  ...["connection", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"],
]);

/** What we send, as grpc-js wants it; throws on a name or value that HTTP/2 cannot carry. */
export function grpcMetadata(init: MetadataInit): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(init)) {
    if (name.startsWith(":") || connectionHeaders.has(name.toLowerCase())) {
      throw new Error(`metadata cannot have the name ${JSON.stringify(name)}`);
    }
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
