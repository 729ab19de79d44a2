import { readFileCapped } from "@signet/runtime";
import type { CommandIo } from "./command-io.ts";

/** Largest file of a token, in bytes; a token may have 16 KiB. */
const maxTokenFileBytes = 65_536;

/** The token in a file, or in standard input for `-`, also where it was copied together with the scheme of its header. */
export async function readToken(file: string, io: Pick<CommandIo, "stdin">): Promise<string> {
  const content = file === "-" ? await readAll(io.stdin) : await readFileCapped(file, maxTokenFileBytes);
  const token = content
    .toString("utf8")
    .trim()
    .replace(/^(authorization:\s*)?bearer\s+/i, "");
  if (token === "") throw new Error(`${file === "-" ? "standard input" : file} holds no token`);
  return token;
}

async function readAll(stdin: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > maxTokenFileBytes) throw new Error(`standard input has more than ${maxTokenFileBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
