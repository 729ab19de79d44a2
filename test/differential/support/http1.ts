/** Headers as they were on the wire, one character per octet, names as sent. */
export type RawHeaders = readonly (readonly [name: string, value: string])[];

/** The first line and the headers of a message, and where its body begins; undefined while they are not complete. */
export type MessageHead = { readonly startLine: string; readonly headers: RawHeaders; readonly bodyAt: number };

const blankLine = Buffer.from("\r\n\r\n");

/** Reads the head of an HTTP/1.1 message without an opinion on what is in it. */
export function readHead(octets: Buffer): MessageHead | undefined {
  const end = octets.indexOf(blankLine);
  if (end === -1) return undefined;
  const [startLine = "", ...lines] = octets.toString("latin1", 0, end).split("\r\n");
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(":");
    return [
      line.slice(0, colon),
      line
        .slice(colon + 1)
        .replace(/^[ \t]+/, "")
        .replace(/[ \t]+$/, ""),
    ];
  });
  return { startLine, headers, bodyAt: end + blankLine.length };
}

/** All values of a header, in lower case, in the order of arrival. */
export function valuesOf(headers: RawHeaders, wanted: string): readonly string[] {
  return headers.flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []));
}

/** The body that follows a head, and where it ends; undefined while it is not complete. */
export function readBody(
  octets: Buffer,
  head: MessageHead,
): { readonly body: string; readonly end: number } | undefined {
  if (valuesOf(head.headers, "transfer-encoding").includes("chunked")) return readChunks(octets, head.bodyAt);
  const end = head.bodyAt + Number(valuesOf(head.headers, "content-length")[0] ?? 0);
  return octets.length < end ? undefined : { body: octets.toString("latin1", head.bodyAt, end), end };
}

function readChunks(octets: Buffer, from: number): { readonly body: string; readonly end: number } | undefined {
  let body = "";
  for (let at = from; ; ) {
    const lineEnd = octets.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(octets.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + 2 + size;
    if (octets.length < end + 2) return undefined;
    if (size === 0) return { body, end: end + 2 };
    body += octets.toString("latin1", lineEnd + 2, end);
    at = end + 2;
  }
}
