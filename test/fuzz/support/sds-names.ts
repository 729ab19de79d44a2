import fc from "fast-check";

const own = ["default", "ROOTCA", "file-cert:/a/tls.crt~/a/tls.key", "file-root:/a/ca.crt", "file-root:system"];
const others = ["file-cert:/victim/tls.crt~/victim/tls.key", "file-root:/victim/ca.crt"];
/** Names that are nearly one with a secret, and some that objects have of themselves. */
const near = [
  ...["", "*", " default", "default ", "Default", "default\0", "DEFAULT", "rootca", "__proto__", "constructor"],
  ...["file-cert:", "file-cert:/a/tls.crt", "file-cert:/a/tls.crt~/a/tls.key~", "file-cert:/a//tls.crt~/a/tls.key"],
  ...["file-root:", "file-root:/victim/../victim/ca.crt", "file-root:SYSTEM", "kubernetes://tls"],
];
/** Names that have secrets. */
export const served: string[] = [...own, ...others];

/** One name, of a secret or of none. */
export const name: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...own) },
  { weight: 3, arbitrary: fc.constantFrom(...near) },
  { weight: 1, arbitrary: fc.string({ maxLength: 12, unit: "binary" }) },
);
const many = fc
  .tuple(fc.constantFrom("x", "file-root:/many/", "file-cert:/many~/"), fc.nat(9))
  .map(([prefix, from]) => Array.from({ length: 10_000 }, (_, index) => `${prefix}${from}${index}`));
/** What a request names. */
export const names: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 60, arbitrary: fc.array(name, { maxLength: 5 }) },
  { weight: 1, arbitrary: many },
);
/** Nonces of this stream, of none, and of one that has not been sent yet. */
export const nonce: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("", "s.1", "s.2", "s.3", "s.64", "t.1"),
  fc.string({ maxLength: 6 }),
);
