import { KubernetesError } from "./errors.ts";

const newline = 0x0a;

/**
 * The lines of a stream of bytes, without their ends; empty lines are left out.
 * @throws KubernetesError `response-too-large` for a line above `maxBytes`, `unavailable` when the stream ends inside a line
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string, void, undefined> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      parts.push(chunk.subarray(from, end));
      size += end - from;
      if (size > maxBytes) throw tooLarge(maxBytes);
      from = end + 1;
      if (size > 0) yield Buffer.concat(parts, size).toString("utf8");
      parts = [];
      size = 0;
    }
    size += chunk.length - from;
    if (size > maxBytes) throw tooLarge(maxBytes);
    if (from < chunk.length) parts.push(chunk.subarray(from));
  }
  if (size > 0) throw new KubernetesError("unavailable", "a watch ended in the middle of an event");
}

function tooLarge(maxBytes: number): KubernetesError {
  return new KubernetesError("response-too-large", `an event of a watch exceeds ${maxBytes} bytes`);
}
