/** Longest text that is compared; issuers are URLs, and the work grows with the square. */
const maxLength = 300;

/** The one of `candidates` that `text` was most likely meant to be; undefined when none is near: a third of it differs, or more. */
export function nearestText(text: string, candidates: readonly string[]): string | undefined {
  if (text.length > maxLength) return undefined;
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(text.length / 3));
  for (const candidate of candidates) {
    if (candidate.length > maxLength) continue;
    const distance = editDistance(text, candidate);
    if (distance < least) {
      nearest = candidate;
      least = distance;
    }
  }
  return nearest;
}

/** How many characters are to be put in, left out or changed to make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [row, character] of [...a].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...b].entries()) {
      const changed = (previous[column] ?? 0) + (character === other ? 0 : 1);
      current.push(Math.min(changed, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}

/** How two issuers that are nearly the same differ, in words. */
export function issuerDifference(issuer: string, nearest: string): string {
  if (`${issuer}/` === nearest || issuer === `${nearest}/`) return "they differ in a slash at the end, which counts";
  if (issuer.toLowerCase() === nearest.toLowerCase()) return "they differ in upper and lower case, which counts";
  if (issuer.replace(/^https?:/, "") === nearest.replace(/^https?:/, "")) return "they differ in http and https";
  return "issuers are compared character by character";
}
