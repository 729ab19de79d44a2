/**
 * The headers of a request as they came: names and values in turn, in order of arrival, repeated ones repeated. What Node
 * makes of them besides drops all but the first of repeated `authorization` headers and joins others, and one value with a
 * comma is not two values.
 */
export type RawHeaders = readonly string[];

/** The size of `headers` as RFC 9113 section 6.5.2 counts it for SETTINGS_MAX_HEADER_LIST_SIZE, in bytes. */
export function headerListBytes(headers: RawHeaders): number {
  let bytes = 0;
  for (const part of headers) bytes += part.length;
  return bytes + (headers.length / 2) * 32;
}
