/** Deepest nesting of arrays and objects in a token, a JWKS or a discovery document. */
export const maxJsonDepth = 32;

const quoteMark = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Returns the JSON object that `text` is.
 *
 * Refuses an object with the same member twice at any depth (RFC 7515 section 4 and RFC 7519 section 4 allow that, and
 * two readers that keep different ones disagree about what was signed) and nesting deeper than 32. The caller caps the size.
 * @throws SyntaxError whose message never quotes the text
 */
export function parseJsonObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's message quotes what it choked on, and that may be half a secret.
    throw new SyntaxError("not valid JSON");
  }
  if (!isJsonObject(value)) throw new SyntaxError("not a JSON object");
  checkStructure(text);
  return value;
}

/** Whether a parsed JSON value is an object, not an array and not null. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Walks JSON that is known to be valid; `open` holds the member names of each open object, undefined for an array. */
function checkStructure(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  let nameComesNext = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quoteMark: {
        const end = endOfString(text, at);
        if (nameComesNext) addName(open.at(-1), text.slice(at + 1, end));
        nameComesNext = false;
        at = end;
        break;
      }
      case openBrace:
      case openBracket:
        if (open.length === maxJsonDepth) throw new SyntaxError(`JSON is nested deeper than ${maxJsonDepth}`);
        nameComesNext = text.charCodeAt(at) === openBrace;
        open.push(nameComesNext ? new Set() : undefined);
        break;
      case closeBrace:
      case closeBracket:
        open.pop();
        nameComesNext = false;
        break;
      case comma:
        nameComesNext = open.at(-1) !== undefined;
        break;
    }
  }
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === backslash) first--;
  return (at - first) % 2 === 1;
}

function addName(names: Set<string> | undefined, raw: string): void {
  const name = raw.includes("\\") ? String(JSON.parse(`"${raw}"`)) : raw;
  if (names?.has(name)) throw new SyntaxError("an object has the same member twice");
  names?.add(name);
}
