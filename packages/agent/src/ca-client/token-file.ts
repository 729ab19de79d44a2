import { errorMessage, readFileCapped } from "@signet/runtime";

/** The bearer token as the file has it now, or why there is none to send. */
export type TokenFileResult =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "unavailable"; readonly reason: string };

/** Longest token file, in bytes. */
export const maxTokenBytes = 65_536;

/**
 * The token in `path`, without surrounding white space.
 *
 * Read anew for every call: the kubelet replaces the file when four fifths of the token's lifetime are over. A token
 * that could not travel in a header counts as none. The reason never quotes the file's content.
 */
export async function readTokenFile(path: string): Promise<TokenFileResult> {
  let content: Buffer;
  try {
    content = await readFileCapped(path, maxTokenBytes);
  } catch (error) {
    return { kind: "unavailable", reason: errorMessage(error) };
  }
  const token = content.toString("latin1").trim();
  if (token === "") return { kind: "unavailable", reason: "the file is empty" };
  // RFC 6750 section 2.1 allows fewer characters still; these are the ones that cannot break out of the header.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return {
      kind: "unavailable",
      reason: "the file holds white space or other than ASCII characters within the token",
    };
  }
  return { kind: "token", token };
}
