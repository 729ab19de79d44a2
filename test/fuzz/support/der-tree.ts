/**
 * DER as a tree, for tests that rearrange it: whatever is changed, the lengths fit again when it is written.
 *
 * A reader and a writer of its own, so that it shares no fault with the code under test.
 */
export type DerTree = { tag: number; prefix: Uint8Array; children: DerTree[] | undefined; content: Uint8Array };

/** The elements in `bytes`, or undefined when they are none. Octet and bit strings that hold DER are opened too. */
export function readTrees(bytes: Uint8Array, depth = 0): DerTree[] | undefined {
  const found: DerTree[] = [];
  let at = 0;
  while (at < bytes.length) {
    const head = readHead(bytes, at);
    if (head === undefined) return undefined;
    const content = bytes.subarray(head.start, head.end);
    found.push(readTree(head.tag, content, depth));
    at = head.end;
  }
  return found;
}

function readTree(tag: number, content: Uint8Array, depth: number): DerTree {
  const opened = depth < 12 ? openContent(tag, content, depth + 1) : undefined;
  return { tag, prefix: opened?.prefix ?? new Uint8Array(0), children: opened?.children, content };
}

function openContent(tag: number, content: Uint8Array, depth: number) {
  if ((tag & 0x20) !== 0) {
    const children = readTrees(content, depth);
    return children && { prefix: new Uint8Array(0), children };
  }
  const skipped = tag === 0x03 && content[0] === 0 ? 1 : 0;
  if (content.length < 2 || (tag !== 0x04 && skipped === 0)) return undefined;
  const children = readTrees(content.subarray(skipped), depth);
  return children && children.length > 0 ? { prefix: content.subarray(0, skipped), children } : undefined;
}

function readHead(bytes: Uint8Array, at: number) {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  const octets = first < 0x80 ? 0 : first - 0x80;
  if (octets > 3) return undefined;
  let length = octets === 0 ? first : 0;
  for (let index = 0; index < octets; index++) length = length * 256 + (bytes[at + 2 + index] ?? 0);
  const start = at + 2 + octets;
  return start + length > bytes.length ? undefined : { tag, start, end: start + length };
}

/** The elements as bytes. */
export function writeTrees(trees: readonly DerTree[]): Uint8Array {
  return Buffer.concat(trees.map(writeTree));
}

function writeTree({ tag, prefix, children, content }: DerTree): Uint8Array {
  const inner = children === undefined ? content : Buffer.concat([prefix, writeTrees(children)]);
  return Buffer.concat([Buffer.of(tag), lengthOctets(inner.length), inner]);
}

function lengthOctets(length: number): Uint8Array {
  if (length < 0x80) return Buffer.of(length);
  if (length < 0x100) return Buffer.of(0x81, length);
  if (length < 0x10000) return Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.of(0x83, length >> 16, (length >> 8) & 0xff, length & 0xff);
}

/** Every list of elements in the trees, with the list itself, so that elements can be put in and taken out. */
export function listsIn(trees: DerTree[]): DerTree[][] {
  return [trees, ...trees.flatMap(({ children }) => (children === undefined ? [] : listsIn(children)))];
}
