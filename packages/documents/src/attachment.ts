import type { FieldReader } from "./field-reader.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";
import { isDnsSubdomain } from "./workload.ts";

/** Labels that a workload must bear, every one of them; none at all are borne by every workload. */
export type WorkloadSelector = { readonly matchLabels: ReadonlyMap<string, string> };

/** A resource that a document is about instead of workloads with labels. */
export type TargetReference = {
  /** As written: empty and `core` are the same. */
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** Never there in a document that is accepted. */
  readonly namespace?: string;
};

/** What a document is about; neither means all workloads of its namespace. */
export type Attachment = { readonly selector?: WorkloadSelector; readonly targetRefs: readonly TargetReference[] };

const maxTargetRefs = 16;
const maxLabels = 4_096;
const maxLabelValue = 63;

/** Group and kind of what may be targeted. */
const targetKinds: readonly string[] = [
  "core/Service",
  "networking.istio.io/ServiceEntry",
  "gateway.networking.k8s.io/Gateway",
  "gateway.networking.k8s.io/GatewayClass",
];

/**
 * Reads `selector`, `targetRef` and `targetRefs`, and notes what is wrong with them.
 *
 * What is invalid is left out of the result, which so is about more workloads rather than fewer: who has to refuse a
 * document can still tell whom it was meant for.
 */
export function readAttachment(spec: FieldReader): Attachment {
  const wasSet = ["selector", "targetRef", "targetRefs"].filter((name) => spec.holds(name));
  if (wasSet.length > 1) spec.report("is not valid: only one of targetRefs or workloadSelector can be set");
  const selector = readSelector(spec);
  const single = spec.map("targetRef");
  if (spec.count("targetRefs") > maxTargetRefs)
    spec.report(`is not valid: must have at most ${maxTargetRefs} items`, "targetRefs");
  const references = [...(single === undefined ? [] : [single]), ...spec.maps("targetRefs")];
  const targetRefs = references.flatMap((reference) => {
    const target = readTargetReference(reference);
    return target === undefined ? [] : [target];
  });
  // Of half a list nobody knows what the other half was for.
  if (targetRefs.length < spec.count("targetRefs") + (spec.holds("targetRef") ? 1 : 0)) return { targetRefs: [] };
  return { targetRefs, ...(selector !== undefined && { selector }) };
}

/** Reads `selector` alone, for kinds that know no targets; what is invalid is left out as in `readAttachment`. */
export function readSelector(spec: FieldReader): WorkloadSelector | undefined {
  const selector = spec.map("selector");
  if (selector === undefined) return undefined;
  const labels = selector.map("matchLabels");
  refuseUnknownFields(selector);
  const names = labels?.names() ?? [];
  if (names.length === 0) spec.warn("is empty: workload selector specified without labels", "selector");
  if (names.length > maxLabels) labels?.report(`is not valid: must have at most ${maxLabels} items`);
  const matchLabels = new Map<string, string>();
  for (const key of names) {
    const value = labels?.text(key);
    if (value === undefined) {
      if (labels?.holds(key) === false) labels.report("is nothing, and not text", key);
      continue;
    }
    const fault = labelFault(key, value);
    if (fault === undefined) matchLabels.set(key, value);
    else labels?.report(`is not valid: ${fault}`, key);
  }
  return { matchLabels };
}

function labelFault(key: string, value: string): string | undefined {
  const pair = JSON.stringify(`${key}=${value}`.slice(0, 200));
  if (key === "") return `empty key is not supported in selector: ${pair}`;
  if (key.includes("*") || value.includes("*")) return `wildcard is not supported in selector: ${pair}`;
  // Counted in code points, as JSON schema counts.
  return [...value].length > maxLabelValue ? `may not be longer than ${maxLabelValue}` : undefined;
}

function readTargetReference(reference: FieldReader): TargetReference | undefined {
  const group = reference.text("group") ?? "";
  const kind = reference.text("kind") ?? "";
  const name = reference.text("name") ?? "";
  const namespace = reference.text("namespace") ?? "";
  if (name === "") reference.report("is not valid: targetRef name must be set", "name");
  if (name.length > 253) reference.report("is not valid: may not be longer than 253", "name");
  if (namespace !== "") {
    const why = "targetRef namespace must not be set; cross namespace referencing is not supported";
    reference.report(`is not valid: ${why}`, "namespace");
  }
  refuseUnknownFields(reference);
  const allowed = targetKinds.includes(`${group === "" ? "core" : group}/${kind}`);
  if (!allowed) {
    const found = `${printable(group, isDnsSubdomain)}/${printable(kind, (text) => /^[A-Za-z0-9-]{1,63}$/.test(text))}`;
    reference.report(`is not valid: targetRef must be to one of ${targetKinds.join(", ")} but was ${found}`);
  }
  return allowed && name !== "" ? { group, kind, name, ...(namespace !== "" && { namespace }) } : undefined;
}

function printable(text: string, isPlain: (text: string) => boolean): string {
  return text === "" || isPlain(text) ? text : JSON.stringify(text.slice(0, 200));
}
