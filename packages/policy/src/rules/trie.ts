import { flatText } from "../match/flat-text.ts";

/** What a trie holds for one key: where a text only begins with it, and where it ends there too. */
export type TrieEntry<T> = { readonly form: "prefix" | "exact"; readonly make: () => T };

/**
 * Values by texts and by prefixes of texts, or by suffixes where it is built `backwards`: a radix tree whose edges are chosen
 * by one character. A text is walked once, however many keys there are.
 */
export class Trie<T> {
  readonly #backwards: boolean;
  readonly #root: TrieNode<T> = leaf("");

  constructor(backwards: boolean) {
    this.#backwards = backwards;
  }

  /** The value at exactly that key, made if there is none. */
  at(key: string, { form, make }: TrieEntry<T>): T {
    const node = this.#nodeAt(this.#backwards ? reversed(key) : key);
    if (form === "exact") {
      node.exact ??= make();
      return node.exact;
    }
    node.prefix ??= make();
    return node.prefix;
  }

  #nodeAt(key: string): TrieNode<T> {
    let node = this.#root;
    let rest = key;
    while (rest !== "") {
      const child = childOf(node, rest.charCodeAt(0));
      if (child === undefined) {
        const added: TrieNode<T> = leaf(rest);
        setChild(node, added);
        return added;
      }
      const shared = sharedLength(child.label, rest);
      if (shared < child.label.length) splitNode(child, shared);
      node = child;
      rest = rest.slice(shared);
    }
    return node;
  }

  /** Visits what the text from `start` on begins with, or ends with if it is built backwards, and what it is in full. */
  visit(text: string, start: number, visitor: { visit(value: T): void }): void {
    if (this.#backwards) this.#visitBackwards(text, visitor);
    else this.#visitForwards(text, start, visitor);
  }

  #visitForwards(text: string, start: number, visitor: { visit(value: T): void }): void {
    let node = this.#root;
    let at = start;
    for (;;) {
      if (node.prefix !== undefined) visitor.visit(node.prefix);
      if (at === text.length) {
        if (node.exact !== undefined) visitor.visit(node.exact);
        return;
      }
      const child = childOf(node, text.charCodeAt(at));
      if (child === undefined) return;
      const { label } = child;
      const end = at + label.length;
      if (end > text.length) return;
      // The first character is the one that the child was chosen by.
      for (let index = 1, place = at + 1; place < end; index++, place++) {
        if (text.charCodeAt(place) !== label.charCodeAt(index)) return;
      }
      at = end;
      node = child;
    }
  }

  #visitBackwards(text: string, visitor: { visit(value: T): void }): void {
    let node = this.#root;
    let at = text.length - 1;
    for (;;) {
      if (node.prefix !== undefined) visitor.visit(node.prefix);
      if (at < 0) return;
      const child = childOf(node, text.charCodeAt(at));
      if (child === undefined) return;
      const { label } = child;
      const end = at - label.length;
      if (end < -1) return;
      for (let index = 1, place = at - 1; place > end; index++, place--) {
        if (text.charCodeAt(place) !== label.charCodeAt(index)) return;
      }
      at = end;
      node = child;
    }
  }
}

type TrieNode<T> = {
  label: string;
  prefix: T | undefined;
  exact: T | undefined;
  /** By the first character of their labels, less `first`. */
  children: (TrieNode<T> | undefined)[];
  first: number;
  /** Those too far apart for a list. */
  others: Map<number, TrieNode<T>> | undefined;
};

/** Longest list of children: characters of octets lie no further apart. */
const maxSpan = 256;

function leaf<T>(label: string): TrieNode<T> {
  return { label: flatText(label), prefix: undefined, exact: undefined, children: [], first: 0, others: undefined };
}

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
  const lower: TrieNode<T> = { ...node, label: flatText(node.label.slice(length)) };
  node.label = flatText(node.label.slice(0, length));
  node.prefix = undefined;
  node.exact = undefined;
  node.children = [];
  node.first = 0;
  node.others = undefined;
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
