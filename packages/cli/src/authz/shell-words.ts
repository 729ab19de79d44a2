/**
 * Returns the words of a command line as a POSIX shell would split it, without expanding anything: quotes, backslashes, lines
 * that go on, and `$'...'` of what browsers copy. Throws an error for a quote that is not closed.
 */
export function shellWords(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < line.length) {
    const char = line.charAt(at);
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
      continue;
    }
    const piece = readPiece(line, at);
    // A line that goes on is nothing, and no word either.
    if (piece.text !== undefined) word = (word ?? "") + piece.text;
    at = piece.end;
  }
  if (word !== undefined) words.push(word);
  return words;
}

type Piece = { readonly text: string | undefined; readonly end: number };

function readPiece(line: string, at: number): Piece {
  const char = line.charAt(at);
  if (char === "'") return readTo(line, at + 1, "'");
  if (char === "$" && line.charAt(at + 1) === "'") return readEscaped(line, at + 2, { quote: "'", ansi: true });
  if (char === '"') return readEscaped(line, at + 1, { quote: '"', ansi: false });
  if (char !== "\\") return { text: char, end: at + 1 };
  const next = line.charAt(at + 1);
  if (next === "\n") return { text: undefined, end: at + 2 };
  if (next === "\r" && line.charAt(at + 2) === "\n") return { text: undefined, end: at + 3 };
  return { text: next, end: at + 2 };
}

function readTo(line: string, start: number, quote: string): Piece {
  const end = line.indexOf(quote, start);
  if (end < 0) throw new Error(`a quote ${quote} is not closed`);
  return { text: line.slice(start, end), end: end + 1 };
}

const ansiEscapes: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
};

function readEscaped(line: string, start: number, { quote, ansi }: { quote: string; ansi: boolean }): Piece {
  let text = "";
  for (let at = start; at < line.length; at++) {
    const char = line.charAt(at);
    if (char === quote) return { text, end: at + 1 };
    if (char !== "\\") {
      text += char;
      continue;
    }
    at += 1;
    const next = line.charAt(at);
    if (ansi) {
      const [, wide, narrow] = /^(?:u([0-9A-Fa-f]{1,4})|x([0-9A-Fa-f]{1,2}))/.exec(line.slice(at, at + 5)) ?? [];
      const hex = wide ?? narrow ?? "";
      if (hex !== "") at += hex.length;
      text += hex === "" ? (ansiEscapes[next] ?? next) : String.fromCharCode(Number.parseInt(hex, 16));
    } else if (next !== "\n") {
      // Within double quotes a backslash is only special before these.
      text += '$`"\\'.includes(next) ? next : `\\${next}`;
    }
  }
  throw new Error(`a quote ${quote} is not closed`);
}
