import fc from "fast-check";

const change = fc.record({
  kind: fc.constantFrom("insert", "remove", "repeat", "cut", "replace", "splice"),
  at: fc.nat(100_000),
  from: fc.nat(100_000),
  count: fc.integer({ min: 1, max: 80 }),
  text: fc.oneof(fc.string({ maxLength: 6, unit: "binary" }), fc.string({ maxLength: 6 })),
});

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** One of `samples` with some text changed; `words` are put in now and then. */
export function mutatedText(samples: readonly string[], words: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.record({
    change,
    word: fc.constantFrom(...words),
    useWord: fc.boolean(),
    other: fc.constantFrom(...samples),
  });
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(piece, { minLength: 1, maxLength: 6 }))
    .map(([sample, pieces]) =>
      pieces.reduce(
        (text, { change: each, word, useWord, other }) => apply(text, useWord ? { ...each, text: word } : each, other),
        sample,
      ),
    );
}

function apply(sample: string, { kind, at, from, count, text }: Change, other: string): string {
  const place = at % (sample.length + 1);
  const [before, after] = [sample.slice(0, place), sample.slice(place)];
  switch (kind) {
    case "insert":
      return before + text + after;
    case "remove":
      return before + after.slice(count);
    case "repeat":
      return before + after.slice(0, count) + after;
    case "cut":
      return before;
    case "replace":
      return before + text + after.slice(text.length);
    case "splice": {
      const start = from % (other.length + 1);
      return before + other.slice(start, start + 4 * count) + after;
    }
  }
}
