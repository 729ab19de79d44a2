const units: readonly (readonly [name: string, seconds: number])[] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** How far `at` is from `now` in words, by its two largest units: "3 minutes ago", "in 11 hours 58 minutes", "now". */
export function describeInstant(at: Date, now: Date): string {
  const seconds = Math.round((at.getTime() - now.getTime()) / 1000);
  if (seconds === 0) return "now";
  const words = describeSeconds(Math.abs(seconds));
  return seconds < 0 ? `${words} ago` : `in ${words}`;
}

function describeSeconds(total: number): string {
  const first = units.findIndex(([, size]) => total >= size);
  const words: string[] = [];
  let rest = total;
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) words.push(`${count} ${name}${count === 1 ? "" : "s"}`);
  }
  return words.join(" ");
}

/** An instant of a token, seconds since 1970, in words and in full; what is no instant is said to be none. */
export function describeNumericDate(value: unknown, now: Date): string {
  const at = typeof value === "number" ? new Date(value * 1000) : undefined;
  if (at === undefined || Number.isNaN(at.getTime())) return "not an instant";
  return `${describeInstant(at, now)} (${at.toISOString().replace(".000Z", "Z")})`;
}
