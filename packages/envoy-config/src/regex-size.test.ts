import { expect, test } from "vitest";
import { regexSizeWarning } from "./regex-size.ts";

const filter = (...regexes: readonly string[]): Parameters<typeof regexSizeWarning>[0][number] => ({
  name: "a",
  typedConfig: { "@type": "a", list: regexes.map((regex) => ({ safeRegex: { regex } })) },
});

test.each([
  // Measured with Envoy 1.40, which counts 242, 213, 218 and 215 instructions where 200 stands in for these lengths.
  [`spiffe://.+/ns/foo/(.+/|)sa/${"s".repeat(58)}(/.+)?`],
  [`.*/ns/${"n".repeat(87)}/.*`],
  [`spiffe://[^/]*${"t".repeat(82)}/.*`],
  [`spiffe://.*${"t".repeat(86)}`],
])("%s is larger than 100 instructions, and is told", (regex) => {
  expect(regexSizeWarning([filter(".+", regex)])).toContain("re2.max_program_size.error_level");
});

test("small ones are not told, and two hundred thousand are no trouble", () => {
  expect(regexSizeWarning([])).toBeUndefined();
  const regexes = Array.from({ length: 200_000 }, () => ".*/ns/a/.*");
  expect(regexSizeWarning([filter(...regexes.slice(0, 3))])).toBeUndefined();
  const many = { name: "a", typedConfig: { "@type": "a", list: regexes.map((regex) => ({ regex })) } };
  expect(regexSizeWarning([many])).toBeUndefined();
});
