import { createReadStream } from "node:fs";
import { type AttributedRequest, parseAttributeContextText } from "@signet/authorizer";
import { errorMessage } from "@signet/runtime";
import type { CommandIo } from "./command-io.ts";

/** A request of the input, or what is wrong with its line. */
export type ReadRequest = { readonly line: number } & (
  | { readonly kind: "request"; readonly request: AttributedRequest }
  | { readonly kind: "malformed"; readonly problem: string }
);

/** Longest line, and longest request that goes over several lines, in UTF-16 code units. */
const maxLength = 4_194_304;

/**
 * Yields the requests in a file, or in standard input for `-`: one JSON object over any number of lines, or one on each line.
 *
 * Which of the two it is the first line says: one that is JSON by itself is one of many. Lines are yielded as they come, empty
 * ones are passed over, and one that cannot be used is told by its number. Rejects with Node's error for a file that cannot
 * be read.
 */
export async function* readRequests(file: string, io: Pick<CommandIo, "stdin">): AsyncGenerator<ReadRequest, void> {
  const chunks = file === "-" ? io.stdin : createReadStream(file);
  /** Lines from the first on, while they may be one object together. */
  let open: NumberedLine[] | undefined;
  let openLength = 0;
  for await (const line of linesOf(chunks)) {
    if (line.text.trim() === "") continue;
    if (open === undefined && line.isFirst && !isJson(line.text)) open = [];
    if (open === undefined) {
      yield readLine(line);
      continue;
    }
    open.push(line);
    openLength += line.text.length;
    if (openLength <= maxLength) continue;
    yield* open.map(readLine);
    open = undefined;
  }
  if (open !== undefined) yield* readTogether(open);
}

type NumberedLine = { readonly number: number; readonly text: string; readonly isFirst: boolean };

/** All lines as one object, or else each by itself. */
function readTogether(lines: readonly NumberedLine[]): readonly ReadRequest[] {
  const [first] = lines;
  const text = lines.map((line) => line.text).join("\n");
  if (first === undefined || !isJson(text)) return lines.map(readLine);
  return [readLine({ ...first, text })];
}

function readLine({ number: line, text }: NumberedLine): ReadRequest {
  try {
    if (text.length > maxLength)
      throw new Error(`the request cannot be used: it has more than ${maxLength} characters`);
    return { kind: "request", line, request: parseAttributeContextText(text) };
  } catch (error) {
    return { kind: "malformed", line, problem: errorMessage(error) };
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Lines without their ends; of one that is too long no more than is needed to see that. */
async function* linesOf(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<NumberedLine, void> {
  const decoder = new TextDecoder("utf-8", { fatal: false });
  let rest = "";
  let number = 0;
  let seen = false;
  const numbered = (text: string): NumberedLine => {
    number += 1;
    const isFirst = !seen && text.trim() !== "";
    seen ||= isFirst;
    return { number, text, isFirst };
  };
  for await (const chunk of chunks) {
    const parts = (rest + (typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }))).split("\n");
    rest = (parts.pop() ?? "").slice(0, maxLength + 1);
    for (const part of parts) yield numbered(part);
  }
  rest += decoder.decode();
  if (rest !== "") yield numbered(rest);
}
