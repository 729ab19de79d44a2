/** Longest DNS name, in characters (RFC 1035 section 2.3.4, without the root). */
const maxNameCharacters = 253;

/**
 * Returns the labels of a DNS name in lower case, or undefined if a label is empty, longer than 63 characters or holds
 * anything but letters, digits, hyphens and underscores; "*" counts as a label. A name that ends in a period has an empty one.
 */
export function dnsLabels(name: string): readonly string[] | undefined {
  if (name.length > maxNameCharacters) {
    return undefined;
  }
  const labels = name.toLowerCase().split(".");
  return labels.every((label) => label === "*" || /^[a-z0-9_-]{1,63}$/.test(label)) ? labels : undefined;
}

/** Whether `labels` are `base` with as many more labels in front as `more` allows. */
export function endsInLabels(labels: readonly string[], base: readonly string[]): boolean {
  const offset = labels.length - base.length;
  return offset >= 0 && base.every((label, index) => labels[offset + index] === label);
}
