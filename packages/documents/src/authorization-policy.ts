import { readAttachment, type TargetReference, type WorkloadSelector } from "./attachment.ts";
import { type AuthorizationRule, deniesAllTcp, readRule } from "./authorization-rule.ts";
import type { DocumentPosition } from "./document-problem.ts";
import type { FieldReader } from "./field-reader.ts";
import { dryRunAnnotation, type KindReader } from "./kubernetes-object.ts";
import { printable } from "./rule-values.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";

const actions = ["ALLOW", "DENY", "AUDIT", "CUSTOM"] as const;

/** What becomes of a request that a policy's rules match. */
export type AuthorizationAction = (typeof actions)[number];

/** Which requests to some workloads are allowed, denied, marked, or put to somebody else. */
export type AuthorizationPolicy = {
  readonly kind: "AuthorizationPolicy";
  readonly namespace: string;
  readonly name: string;
  /** Absent for all workloads of the namespace, unless there are `targetRefs`. */
  readonly selector?: WorkloadSelector;
  /** At most 16, and none where there is a selector. */
  readonly targetRefs: readonly TargetReference[];
  /** Default ALLOW. */
  readonly action: AuthorizationAction;
  /** The name of an entry of `extensionProviders` in the mesh config; there exactly if the action is CUSTOM. */
  readonly provider?: string;
  /** Whether it is watched and not enforced: annotation `istio.io/dry-run`. */
  readonly dryRun: boolean;
  /** One of them must match; at most 512. None match nothing, absent or empty alike. */
  readonly rules: readonly AuthorizationRule[];
  readonly position: DocumentPosition;
};

const maxRules = 512;

const deniesTcp =
  "configured AuthorizationPolicy will deny all traffic to TCP ports under its scope due to the use of only HTTP " +
  "attributes in a DENY rule; it is recommended to explicitly specify the port";

/** Reads the rest of an AuthorizationPolicy, and notes what is wrong with it. */
export const readAuthorizationPolicy: KindReader<AuthorizationPolicy> = ({ object, spec, about }) => {
  const action = spec === undefined ? "ALLOW" : readAction(spec);
  const provider = spec === undefined ? undefined : readProvider(spec, action);
  const policy: AuthorizationPolicy = {
    kind: "AuthorizationPolicy",
    namespace: object.namespace,
    name: object.name,
    ...(spec === undefined ? { targetRefs: [] } : readAttachment(spec)),
    action,
    ...(provider !== undefined && { provider }),
    dryRun: readDryRun(object.annotations, action),
    rules: spec === undefined ? [] : readRules(spec, { action, position: about.position }),
    position: object.position,
  };
  if (spec !== undefined) refuseUnknownFields(spec);
  return policy;
};

function readAction(spec: FieldReader): AuthorizationAction {
  const read = (text: string): AuthorizationAction => {
    const action = actionNamed(text);
    if (action !== undefined) return action;
    throw new Error(`Unsupported value: "${printable(text)}": supported values: ${actions.join(", ")}`);
  };
  return spec.parsed("action", read) ?? "ALLOW";
}

/** Returns the action of a name, if it is one. */
export function actionNamed(text: string): AuthorizationAction | undefined {
  return actions.find((action) => action === text);
}

function readProvider(spec: FieldReader, action: AuthorizationAction): string | undefined {
  const provider = spec.map("provider");
  const name = provider?.text("name") ?? "";
  if (provider !== undefined) refuseUnknownFields(provider);
  if (action !== "CUSTOM") {
    if (spec.holds("provider")) {
      spec.report(`is not valid: \`provider\` must not be with non CUSTOM action, found ${action}`, "provider");
    }
    return undefined;
  }
  if (name === "" && spec.count("rules") > 0) {
    spec.report("is not valid: `provider.name` must not be empty", spec.holds("provider") ? "provider" : undefined);
  }
  return name;
}

/** The words that Go's `strconv.ParseBool` knows. */
const truth: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false] as const),
]);

/** Returns whether a policy is watched and not enforced; undefined where that cannot be told. */
export function dryRunOf(annotations: FieldReader | undefined): boolean | undefined {
  if (annotations?.holds(dryRunAnnotation) !== true) return false;
  return truth.get(annotations.text(dryRunAnnotation) ?? "");
}

function readDryRun(annotations: FieldReader | undefined, action: AuthorizationAction): boolean {
  if (annotations?.holds(dryRunAnnotation) !== true) return false;
  const name = dryRunAnnotation;
  if (action === "AUDIT" || action === "CUSTOM") {
    const why = `the annotation ${name} currently only supports action ALLOW/DENY, found action ${action}`;
    annotations.report(`is not valid: ${why}`, name);
    return false;
  }
  const dryRun = dryRunOf(annotations);
  if (dryRun === undefined) {
    const value = printable(annotations.text(name) ?? "");
    annotations.report(`is not valid: has annotation ${name} with invalid value (${value}): parse error`, name);
  }
  return dryRun ?? false;
}

type RulesContext = {
  readonly action: AuthorizationAction;
  readonly position: (offset: number) => DocumentPosition;
};

function readRules(spec: FieldReader, { action, position }: RulesContext): readonly AuthorizationRule[] {
  const count = spec.count("rules");
  if (count > maxRules) spec.report(`is not valid: must have at most ${maxRules} items`, "rules");
  if (count === 0 && (action === "DENY" || action === "CUSTOM")) {
    const why = `${action} action without \`rules\` is meaningless as it will never be triggered`;
    const hint = "add an empty rule `{}` if you want it be triggered for every request";
    spec.report(`is not valid: ${why}, ${hint}`, spec.holds("rules") ? "rules" : undefined);
  }
  return spec.maps("rules", "is not valid: `rule` must not be nil").map((rule, index) => {
    const read = readRule(rule, { index, isCustom: action === "CUSTOM", position });
    if (action === "DENY" && deniesAllTcp(read)) rule.warn(deniesTcp);
    return read;
  });
}
