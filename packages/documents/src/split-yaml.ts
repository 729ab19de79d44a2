/** A part of a text, from `start` up to and without `end`. */
export type TextSpan = { readonly start: number; readonly end: number };

/**
 * Returns where the YAML documents of a text are; those that hold nothing but comments are left out.
 *
 * A line that begins with `---` or `...` and a space is never within a document (YAML 1.2 section 9.1.2, c-forbidden), so
 * that whatever is wrong with a document ends with it and the next one is read as if it stood alone.
 */
export function splitYaml(text: string): readonly TextSpan[] {
  const spans: TextSpan[] = [];
  let start = 0;
  let content = false;
  // Lines that begin with % are directives until there is a marker or content, and content after that.
  let directives = false;
  let marked = false;
  const close = (end: number): void => {
    if (content || directives) spans.push({ start, end });
    content = false;
    directives = false;
    marked = false;
    start = end;
  };
  for (let line = 0; line < text.length; ) {
    const next = text.indexOf("\n", line);
    const end = next < 0 ? text.length : next + 1;
    const marker = markerAt(text, line);
    if (marker === "---") {
      if (content || marked || !directives) close(line);
      directives = false;
      marked = true;
      content ||= !isBlank(text, line + 3, end);
    } else if (marker === "...") {
      close(end);
    } else if (!content && !marked && text[line] === "%") {
      directives = true;
    } else {
      content ||= !isBlank(text, line, end);
    }
    line = end;
  }
  close(text.length);
  return spans;
}

function markerAt(text: string, line: number): "---" | "..." | undefined {
  const marker = text.startsWith("---", line) ? "---" : text.startsWith("...", line) ? "..." : undefined;
  const after = text[line + 3];
  return after === undefined || after === " " || after === "\t" || after === "\n" || after === "\r"
    ? marker
    : undefined;
}

/** Whether a line holds nothing but space and a comment. */
function isBlank(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const char = text[at];
    if (char === "#") return at === start || isSpace(text[at - 1]);
    if (!isSpace(char)) return false;
  }
  return true;
}

function isSpace(char: string | undefined): boolean {
  return char === " " || char === "\t" || char === "\r" || char === "\n" || char === "\ufeff";
}
