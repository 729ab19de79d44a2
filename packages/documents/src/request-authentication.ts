import { readAttachment, type TargetReference, type WorkloadSelector } from "./attachment.ts";
import type { DocumentPosition } from "./document-problem.ts";
import type { FieldReader } from "./field-reader.ts";
import { type JwtRule, readJwtRule } from "./jwt-rule.ts";
import { dryRunAnnotation, type KindReader } from "./kubernetes-object.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";

/** Which tokens requests to some workloads may bear; all that attach to a workload count together. */
export type RequestAuthentication = {
  readonly kind: "RequestAuthentication";
  readonly namespace: string;
  readonly name: string;
  /** Absent for all workloads of the namespace, unless there are `targetRefs`. */
  readonly selector?: WorkloadSelector;
  /** At most 16, and none where there is a selector. */
  readonly targetRefs: readonly TargetReference[];
  /** At most 4096. */
  readonly jwtRules: readonly JwtRule[];
  readonly position: DocumentPosition;
};

const maxJwtRules = 4_096;

/** Reads the `spec` of a RequestAuthentication, and notes what is wrong with it. */
export const readRequestAuthentication: KindReader<RequestAuthentication> = ({ object, spec, about }) => {
  if (object.annotations?.holds(dryRunAnnotation) === true) {
    object.annotations.report("is not valid: has unsupported annotation, please remove it", dryRunAnnotation);
  }
  return {
    kind: "RequestAuthentication",
    namespace: object.namespace,
    name: object.name,
    ...(spec === undefined ? { targetRefs: [] } : readAttachment(spec)),
    jwtRules: spec === undefined ? [] : readJwtRules(spec, about.position),
    position: object.position,
  };
};

function readJwtRules(spec: FieldReader, position: (offset: number) => DocumentPosition): readonly JwtRule[] {
  if (spec.count("jwtRules") > maxJwtRules)
    spec.report(`is not valid: must have at most ${maxJwtRules} items`, "jwtRules");
  const rules = spec.maps("jwtRules").map((rule) => readJwtRule(rule, position(rule.offset)));
  refuseUnknownFields(spec);
  return rules;
}
