import type { Attachment } from "@signet/documents";

/** A document as far as it says whom it is for. */
export type Attached = Attachment & { readonly namespace: string };

/** Whether every workload that `narrow` is for, `wide` is for too; false where that cannot be told. */
export function attachesToAll(wide: Attached, narrow: Attached, rootNamespace: string): boolean {
  if (wide.targetRefs.length > 0) {
    if (narrow.targetRefs.length === 0 || wide.namespace !== narrow.namespace) return false;
    return narrow.targetRefs.every((target) => wide.targetRefs.some((other) => sameTarget(target, other)));
  }
  if (narrow.targetRefs.length > 0) return false;
  if (wide.namespace !== rootNamespace && wide.namespace !== narrow.namespace) return false;
  const labels = narrow.selector?.matchLabels;
  return [...(wide.selector?.matchLabels ?? [])].every(([key, value]) => labels?.get(key) === value);
}

/** Whether there may be a workload that both are for. */
export function mayShareWorkload(one: Attached, other: Attached, rootNamespace: string): boolean {
  if (one.targetRefs.length > 0 && other.targetRefs.length > 0) {
    return one.namespace === other.namespace && one.targetRefs.some((target) => isAmong(target, other));
  }
  const sameNamespace =
    one.namespace === other.namespace || one.namespace === rootNamespace || other.namespace === rootNamespace;
  if (!sameNamespace) return false;
  const labels = other.selector?.matchLabels;
  return [...(one.selector?.matchLabels ?? [])].every(
    ([key, value]) => labels === undefined || !labels.has(key) || labels.get(key) === value,
  );
}

type Target = Attachment["targetRefs"][number];

function isAmong(target: Target, { targetRefs }: Attachment): boolean {
  return targetRefs.some((other) => sameTarget(target, other));
}

function sameTarget(one: Target, other: Target): boolean {
  const group = ({ group: name }: Target): string => (name === "" ? "core" : name);
  return one.kind === other.kind && one.name === other.name && group(one) === group(other);
}
