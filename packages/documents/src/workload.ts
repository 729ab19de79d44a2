import { DocumentsError } from "./errors.ts";

/** What requests come to: a pod, a gateway or a waypoint. */
export type Workload = {
  readonly namespace: string;
  /** The labels of its pod. A gateway of the Kubernetes Gateway API bears `gateway.networking.k8s.io/gateway-name`. */
  readonly labels: ReadonlyMap<string, string>;
  /** For a waypoint, the services that it stands before for the requests in question; may be empty. Absent for all else. */
  readonly waypointFor?: readonly ServiceName[];
};

/** A service as a waypoint knows it. */
export type ServiceName = {
  readonly kind: "Service" | "ServiceEntry";
  readonly namespace: string;
  readonly name: string;
};

/** Longest text that names a workload, in UTF-16 code units. */
const maxLength = 65_536;

/**
 * Returns the workload that a text such as `foo/app=httpbin,version=v1` names: a namespace and labels, or a namespace alone.
 *
 * Names, keys and values are as Kubernetes wants them; a value may be empty. At most 65536 characters. Throws
 * `DocumentsError` with code `workload-malformed`.
 * @example
 * ```ts
 * import { parseWorkload } from "@signet/documents";
 * parseWorkload("foo/app=httpbin,version=v1").labels.get("version"); // "v1"
 * ```
 */
export function parseWorkload(text: string): Workload {
  if (text.length > maxLength) throw malformed(`is longer than ${maxLength} characters`);
  // The first slash: keys of labels hold slashes too, namespaces do not.
  const slash = text.indexOf("/");
  const namespace = slash < 0 ? text : text.slice(0, slash);
  if (!isDnsLabel(namespace)) throw malformed(`${quote(namespace)} is no namespace`);
  const labels = new Map<string, string>();
  const pairs = slash < 0 || slash === text.length - 1 ? [] : text.slice(slash + 1).split(",");
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const key = pair.slice(0, Math.max(equals, 0));
    const value = pair.slice(equals + 1);
    if (equals < 0) throw malformed(`${quote(pair)} is no label such as app=httpbin`);
    if (!isLabelKey(key)) throw malformed(`${quote(key)} is no key of a label`);
    if (value !== "" && !isLabelName(value)) throw malformed(`${quote(value)} is no value of a label`);
    if (labels.has(key)) throw malformed(`has the label ${quote(key)} twice`);
    labels.set(key, value);
  }
  return { namespace, labels };
}

/** RFC 1123 section 2.1, as Kubernetes has it. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text);
}

/** Labels of DNS with dots between them, at most 253 characters, as Kubernetes wants most names. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split(".").every((label) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(label));
}

function isLabelKey(text: string): boolean {
  const slash = text.indexOf("/");
  return isLabelName(text.slice(slash + 1)) && (slash < 0 || isDnsSubdomain(text.slice(0, slash)));
}

function isLabelName(text: string): boolean {
  return text.length <= 63 && /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(text);
}

function malformed(why: string): DocumentsError {
  return new DocumentsError("workload-malformed", `a workload such as foo/app=httpbin is wanted: ${why}`);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
