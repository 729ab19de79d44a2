import type { RequestSketch } from "./request-sketch.ts";
import { shellWords } from "./shell-words.ts";

/** Options of curl that are followed by a value and that do not matter here. */
const valued: ReadonlySet<string> = new Set([
  ...["-o", "--output", "-w", "--write-out", "-m", "--max-time", "--connect-timeout", "--retry", "--retry-delay"],
  ...["--cacert", "--capath", "-E", "--cert", "--key", "--cert-type", "--key-type", "--pass", "--ciphers", "--resolve"],
  ...["--connect-to", "-x", "--proxy", "--noproxy", "-c", "--cookie-jar", "-D", "--dump-header", "-K", "--config"],
  ...["--interface", "--limit-rate", "--unix-socket", "-C", "--continue-at", "-r", "--range", "--tls-max"],
  ...[
    "-F",
    "--form",
    "-T",
    "--upload-file",
    "--max-redirs",
    "--trace",
    "--trace-ascii",
    "--stderr",
    "--retry-max-time",
  ],
]);

/** Options that make it a POST, and whose value is a body. */
const bodies: ReadonlySet<string> = new Set([
  ...["-d", "--data", "--data-raw", "--data-ascii", "--data-binary", "--data-urlencode", "--json"],
]);

type Reading = {
  method?: string;
  url?: string;
  query: string[];
  headers: (readonly [name: string, value: string])[];
  hasBody: boolean;
  isGet: boolean;
  isHead: boolean;
  asIs: boolean;
};

/**
 * Returns the request that a command line of curl makes, as far as policies look at it: method, URL, headers, and what options
 * for a user, a cookie or a token come to. Whatever stands before the word `curl` is passed over. Throws an error that says why
 * it cannot be read, and shows no value of a header.
 */
export function parseCurlLine(line: string): RequestSketch {
  const words = shellWords(line);
  const curl = words.findIndex((word) => word === "curl" || word.endsWith("/curl"));
  if (curl < 0) throw new Error("there is no word curl in it");
  const reading: Reading = { query: [], headers: [], hasBody: false, isGet: false, isHead: false, asIs: false };
  const queue = words.slice(curl + 1).flatMap(splitOption);
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) readWord(word, queue, reading);
  return sketchOf(reading);
}

/** Long options with `=` and short ones in one word: `-sSkXPOST` is `-s -S -k -X POST`. */
function splitOption(word: string): readonly string[] {
  if (!/^-[^-]/.test(word)) return [word];
  const parts: string[] = [];
  for (let at = 1; at < word.length; at++) {
    const option = `-${word.charAt(at)}`;
    parts.push(option);
    if (!takesValue(option)) continue;
    if (at + 1 < word.length) parts.push(word.slice(at + 1));
    break;
  }
  return parts;
}

function takesValue(option: string): boolean {
  return valued.has(option) || bodies.has(option) || ["-X", "-H", "-u", "-A", "-e", "-b"].includes(option);
}

function readWord(word: string, queue: string[], reading: Reading): void {
  const value = (): string => {
    const next = queue.shift();
    if (next === undefined) throw new Error(`${word} is the last word and wants a value`);
    return next;
  };
  const add = (name: string, text: string): void => {
    reading.headers.push([name, text]);
  };
  if (bodies.has(word)) {
    reading.hasBody = true;
    const body = value();
    if (body !== "" && !body.startsWith("@")) reading.query.push(body);
    if (word === "--json") add("content-type", "application/json");
    return;
  }
  if (valued.has(word)) {
    value();
    if (word === "-F" || word === "--form") reading.hasBody = true;
    if ((word === "-T" || word === "--upload-file") && reading.method === undefined) reading.method = "PUT";
    return;
  }
  const header = headerOptions.get(word);
  if (header !== undefined) {
    const text = value();
    add(header.name, header.encode(text));
    return;
  }
  switch (word) {
    case "-X":
    case "--request":
      reading.method = value();
      return;
    case "-H":
    case "--header":
      readHeader(value(), reading);
      return;
    case "-G":
    case "--get":
      reading.isGet = true;
      return;
    case "-I":
    case "--head":
      reading.isHead = true;
      return;
    case "--path-as-is":
      reading.asIs = true;
      return;
    case "--url":
      reading.url ??= value();
      return;
    default:
      if (!word.startsWith("-")) reading.url ??= word;
  }
}

type HeaderOption = { readonly name: string; encode(text: string): string };

/** Options that come to a header. */
const headerOptions: ReadonlyMap<string, HeaderOption> = new Map(
  [
    { options: ["-u", "--user"], name: "authorization", encode: basic },
    { options: ["--oauth2-bearer"], name: "authorization", encode: (text: string) => `Bearer ${text}` },
    { options: ["-A", "--user-agent"], name: "user-agent", encode: String },
    { options: ["-e", "--referer"], name: "referer", encode: String },
    { options: ["-b", "--cookie"], name: "cookie", encode: String },
  ].flatMap(({ options, ...header }) => options.map((option) => [option, header] as const)),
);

function basic(text: string): string {
  return `Basic ${Buffer.from(text, "utf8").toString("base64")}`;
}

function readHeader(text: string, reading: Reading): void {
  const colon = text.indexOf(":");
  // "name;" is curl's way to send a header without a value, and "name:" to send none.
  if (colon < 0) {
    if (text.endsWith(";")) reading.headers.push([text.slice(0, -1).trim(), ""]);
    return;
  }
  const value = text.slice(colon + 1).trim();
  if (value !== "") reading.headers.push([text.slice(0, colon).trim(), value]);
}

function sketchOf(reading: Reading): RequestSketch {
  if (reading.url === undefined) throw new Error("there is no URL in it");
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(reading.url) ? reading.url : `http://${reading.url}`);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error("its URL is none of http or https");
  const asWritten = /^[^/]*\/\/[^/?#]*([^?#]*)/.exec(
    reading.url.includes("://") ? reading.url : `//${reading.url}`,
  )?.[1];
  const path = reading.asIs ? asWritten || "/" : url.pathname;
  const query = [url.search.slice(1), ...(reading.isGet ? reading.query : [])].filter((part) => part !== "").join("&");
  const host = reading.headers.findLast(([name]) => name.toLowerCase() === "host")?.[1] ?? url.host;
  const user = decodeURIComponent(url.username);
  const credentials = `${user}:${decodeURIComponent(url.password)}`;
  const authorization = user === "" ? [] : [["authorization", basic(credentials)] as const];
  const posts = reading.hasBody && !reading.isGet ? "POST" : "GET";
  return {
    method: reading.method ?? (reading.isHead ? "HEAD" : posts),
    scheme: url.protocol.slice(0, -1),
    host,
    path: query === "" ? path : `${path}?${query}`,
    headers: [...authorization, ...reading.headers.filter(([name]) => name.toLowerCase() !== "host")],
    ...(url.protocol === "https:" && !/^[\d.]+$|^\[/.test(url.hostname) && { sni: url.hostname }),
  };
}
