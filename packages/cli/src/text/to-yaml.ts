/** A value of JSON as far as configuration has it. */
type Plain = string | number | boolean | readonly Plain[] | { readonly [name: string]: Plain };

/** Text that is itself in YAML 1.1 and 1.2, whatever stands around it. */
const plainText = /^[A-Za-z][A-Za-z0-9_./-]*$/;
const otherwiseRead = /^(true|false|null|yes|no|on|off|y|n)$/i;

/**
 * Returns a list in YAML, in block style; every entry begins with `- `. What is not plain words is quoted as in JSON, so that no
 * reader of YAML takes it for anything else.
 */
export function toYaml(list: readonly Plain[]): string {
  return list.length === 0 ? "[]\n" : list.map((entry) => `- ${block(entry, "  ")}`).join("");
}

/** A value that begins where the cursor stands, and ends with a new line; further lines are indented. */
function block(value: Plain, indent: string): string {
  if (isList(value)) {
    if (value.length === 0) return "[]\n";
    return value.map((entry) => `- ${block(entry, `${indent}  `)}`).join(indent);
  }
  if (typeof value !== "object") return `${scalar(value)}\n`;
  const entries = Object.entries(value);
  if (entries.length === 0) return "{}\n";
  return entries.map(([name, member]) => `${scalar(name)}:${inMap(member, indent)}`).join(indent);
}

/** The value of a field: on its line, or below it. */
function inMap(value: Plain, indent: string): string {
  if (typeof value !== "object" || Object.keys(value).length === 0) return ` ${block(value, indent)}`;
  if (isList(value)) return `\n${indent}${block(value, indent)}`;
  return `\n${indent}  ${block(value, `${indent}  `)}`;
}

function scalar(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  return plainText.test(value) && !otherwiseRead.test(value) ? value : JSON.stringify(value);
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}
