import fc from "fast-check";
import { type DerTree, listsIn, readTrees, writeTrees } from "./der-tree.ts";

const treeChange = fc.record({
  kind: fc.constantFrom(
    "remove",
    "repeat",
    "swap",
    "graft",
    "graft",
    "graft",
    "retag",
    "refill",
    "touch",
    "touch",
    "nest",
  ),
  list: fc.nat(4_000),
  at: fc.nat(4_000),
  donor: fc.nat(4_000),
  tag: fc.oneof(
    fc.constantFrom(0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x17, 0x18, 0x30, 0x31, 0x82, 0x86, 0xa0, 0xa3),
    fc.nat(255),
  ),
  bytes: fc.uint8Array({ maxLength: 24 }),
});

const byteChange = fc.record({
  kind: fc.constantFrom("flip", "set", "insert", "remove", "repeat", "cut", "length"),
  at: fc.nat(200_000),
  count: fc.integer({ min: 1, max: 40 }),
  value: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0x81, 0x84, 0xff), fc.nat(255)),
});

type TreeChange = typeof treeChange extends fc.Arbitrary<infer T> ? T : never;
type ByteChange = typeof byteChange extends fc.Arbitrary<infer T> ? T : never;

/** One of `samples` with some elements moved, replaced or refilled; the lengths still fit. */
export function rearrangedDer(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const donors = samples.flatMap((sample) => listsIn(readTrees(sample) ?? []).flat());
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(treeChange, { minLength: 1, maxLength: 3 }))
    .map(([sample, changes]) => {
      const trees = readTrees(sample) ?? [];
      for (const change of changes) applyToTree(trees, change, donors);
      return writeTrees(trees);
    });
}

/** One of `samples` with some bytes changed, wherever they stand. */
export function damagedDer(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(byteChange, { minLength: 1, maxLength: 6 }))
    .map(([sample, changes]) => changes.reduce(applyToBytes, sample));
}

/** Rearranged, damaged, both, and now and then something else altogether. */
export function mutatedDer(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 5, arbitrary: rearrangedDer(samples) },
    { weight: 3, arbitrary: damagedDer(samples) },
    { weight: 2, arbitrary: rearrangedDer(samples).chain((bytes) => damagedDer([bytes])) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 600 }) },
  );
}

function applyToTree(trees: DerTree[], change: TreeChange, donors: readonly DerTree[]): void {
  const lists = listsIn(trees).filter((list) => list.length > 0);
  const list = lists[change.list % lists.length];
  if (list === undefined) return;
  const at = change.at % list.length;
  const node = list[at];
  if (node === undefined) return;
  switch (change.kind) {
    case "remove":
      list.splice(at, 1);
      return;
    case "repeat":
      list.splice(at, 0, structuredClone(node));
      return;
    case "swap":
      list.push(...list.splice(at, 1));
      return;
    case "graft":
      list[at] = donorFor(node, change.donor, donors);
      return;
    case "retag":
      node.tag = change.tag;
      return;
    case "refill":
      list[at] = { ...node, children: undefined, content: change.bytes };
      return;
    case "touch":
      list[at] = { ...node, children: undefined, content: touched(node.content, change) };
      return;
    case "nest":
      list[at] = { tag: 0x30, prefix: new Uint8Array(0), children: [node], content: new Uint8Array(0) };
  }
}

/** An element of the same kind, where there is one: what then is wrong is not the form but what it says. */
function donorFor(node: DerTree, choice: number, donors: readonly DerTree[]): DerTree {
  const alike = donors.filter(({ tag }) => tag === node.tag);
  return structuredClone(alike[choice % alike.length] ?? donors[choice % donors.length] ?? node);
}

function touched(content: Uint8Array, { donor, bytes: [value = 1] }: TreeChange): Uint8Array {
  const place = donor % Math.max(1, content.length);
  return content.map((byte, index) => (index === place ? byte ^ (value || 1) : byte));
}

function applyToBytes(bytes: Uint8Array, { kind, at, count, value }: ByteChange): Uint8Array {
  const place = at % (bytes.length + 1);
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
  switch (kind) {
    case "flip":
      return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << (value & 7))), after.subarray(1)]);
    case "set":
      return Buffer.concat([before, Buffer.of(value), after.subarray(1)]);
    case "insert":
      return Buffer.concat([before, Buffer.alloc(count, value), after]);
    case "remove":
      return Buffer.concat([before, after.subarray(count)]);
    case "repeat":
      return Buffer.concat([before, after.subarray(0, count), after]);
    case "cut":
      return Buffer.from(before);
    case "length":
      return Buffer.concat([before, Buffer.of(0x84, value, 0xff, 0xff, 0xff), after]);
  }
}
