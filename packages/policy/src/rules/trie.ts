/**
 * Values by prefixes of texts, or by suffixes where it is built `backwards`: a radix tree whose edges are chosen by one
 * character. A text is walked once, however many prefixes there are.
 */
export class Trie<T> {
  readonly #backwards: boolean;
  readonly #root: TrieNode<T> = { label: "", value: undefined, children: [], first: 0 };

  constructor(backwards: boolean) {
    this.#backwards = backwards;
  }

  /** The value at exactly that key, made if there is none. */
  at(key: string, make: () => T): T {
    let node = this.#root;
    let rest = this.#backwards ? reversed(key) : key;
    while (rest !== "") {
      const child = childOf(node, rest.charCodeAt(0));
      if (child === undefined) {
        const leaf: TrieNode<T> = { label: rest, value: undefined, children: [], first: 0 };
        setChild(node, leaf);
        node = leaf;
        break;
      }
      const shared = sharedLength(child.label, rest);
      if (shared < child.label.length) splitNode(child, shared);
      node = child;
      rest = rest.slice(shared);
    }
    node.value ??= make();
    return node.value;
  }

  /** Visits the values of all keys that the text from `start` on begins with, or ends with if it is built backwards. */
  visit(text: string, start: number, visitor: { visit(value: T): void }): void {
    let node = this.#root;
    let at = this.#backwards ? text.length - 1 : start;
    const step = this.#backwards ? -1 : 1;
    for (;;) {
      if (node.value !== undefined) visitor.visit(node.value);
      if (at < start || at >= text.length) return;
      const child = childOf(node, text.charCodeAt(at));
      if (child === undefined) return;
      const { label } = child;
      // The first character is the one that the child was chosen by.
      at += step;
      for (let index = 1; index < label.length; index++, at += step) {
        if (at < start || text.charCodeAt(at) !== label.charCodeAt(index)) return;
      }
      node = child;
    }
  }
}

type TrieNode<T> = {
  label: string;
  value: T | undefined;
  /** By the first character of their labels, less `first`. */
  children: (TrieNode<T> | undefined)[];
  first: number;
  /** Those too far apart for a list. */
  others?: Map<number, TrieNode<T>>;
};

/** Longest list of children: characters of octets lie no further apart. */
const maxSpan = 256;

function childOf<T>(node: TrieNode<T>, code: number): TrieNode<T> | undefined {
  const offset = code - node.first;
  return offset >= 0 && offset < node.children.length ? node.children[offset] : node.others?.get(code);
}

function setChild<T>(node: TrieNode<T>, child: TrieNode<T>): void {
  const code = child.label.charCodeAt(0);
  if (node.children.length === 0) node.first = code;
  const first = Math.min(node.first, code);
  if (Math.max(node.first + node.children.length, code + 1) - first > maxSpan) {
    node.others ??= new Map();
    node.others.set(code, child);
    return;
  }
  if (first < node.first) {
    node.children = [...Array<undefined>(node.first - first).fill(undefined), ...node.children];
    node.first = first;
  }
  while (node.children.length <= code - first) node.children.push(undefined);
  node.children[code - first] = child;
}

/** Puts a node between a node and its children, so that the label ends at `length`. */
function splitNode<T>(node: TrieNode<T>, length: number): void {
  const lower: TrieNode<T> = {
    label: node.label.slice(length),
    value: node.value,
    children: node.children,
    first: node.first,
    ...(node.others !== undefined && { others: node.others }),
  };
  delete node.others;
  node.label = node.label.slice(0, length);
  node.value = undefined;
  node.children = [];
  setChild(node, lower);
}

function sharedLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && length < other.length && one.charCodeAt(length) === other.charCodeAt(length)) length++;
  return length;
}

function reversed(text: string): string {
  // By code units: a text is walked by code units too.
  let result = "";
  for (let at = text.length - 1; at >= 0; at--) result += text[at];
  return result;
}
