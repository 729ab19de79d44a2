import type { SubjectAltName } from "@signet/x509";

/** Whether two lists hold the same names, each as often, in any order; names of unknown kind are never the same. */
export function sameSubjectAltNames(a: readonly SubjectAltName[], b: readonly SubjectAltName[]): boolean {
  if (a.length !== b.length) return false;
  const [onlyA] = a;
  const [onlyB] = b;
  if (a.length === 1 && onlyA !== undefined && onlyB !== undefined) return sameName(onlyA, onlyB);
  const left = a.map(nameKey).sort();
  const right = b.map(nameKey).sort();
  return left.every((key, index) => key !== unknownKind && key === right[index]);
}

const unknownKind = "other";

function sameName(a: SubjectAltName, b: SubjectAltName): boolean {
  return a.kind !== "other" && b.kind !== "other" && a.kind === b.kind && a.value === b.value;
}

function nameKey(name: SubjectAltName): string {
  return name.kind === "other" ? unknownKind : `${name.kind}:${name.value}`;
}
