import { isDeepStrictEqual } from "node:util";
import { resources } from "../resources.ts";
import { isRecord } from "../shape.ts";
import { badRequest, invalidField } from "./fake-refusal.ts";
import { recordAt, type StoredObject, textAt } from "./fake-store.ts";

/** How a kind differs from the others. */
export type FakeKind = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Fills in defaults and refuses what is invalid; `user` is who creates it. */
  created?(object: StoredObject, user: string): void;
  /** Keeps what an update may not change, and refuses what it must not. */
  updated?(object: StoredObject, before: StoredObject): void;
  /** What a PUT to a subresource takes over from `object`; a kind without it has no such subresource. */
  readonly subresources?: Readonly<Record<string, (object: StoredObject, before: StoredObject) => StoredObject>>;
  /** Whether a deletion only begins, given the grace period asked for. */
  lingers?(object: StoredObject, graceSeconds: number | undefined): boolean;
  /** Whether a PUT creates what is not there, and one of what is there has to name its version. */
  readonly strictUpdates?: boolean;
};

const minExpirationSeconds = 600;

/** The kinds that the fake knows, by their plural. */
export function fakeKinds(): ReadonlyMap<string, FakeKind> {
  const kinds: readonly FakeKind[] = [
    secretKind,
    configMapKind,
    namespaceKind,
    podKind,
    signingRequestKind,
    { ...resources.serviceAccounts },
    { ...resources.leases, strictUpdates: true, created: checkLeaseTimes, updated: checkLeaseTimes },
  ];
  return new Map(kinds.map((kind) => [kind.plural, kind]));
}

const secretKind: FakeKind = {
  ...resources.secrets,
  created(object) {
    object.type ??= "Opaque";
    checkKeys("Secret", object);
    checkBase64("Secret", object);
  },
  updated(object, before) {
    object.type ??= before.type;
    if (object.type !== before.type) throw invalid("Secret", object, "type: Invalid value: field is immutable");
    checkKeys("Secret", object);
    checkBase64("Secret", object);
    checkImmutable("Secret", object, before);
  },
};

const configMapKind: FakeKind = {
  ...resources.configMaps,
  created: (object) => checkKeys("ConfigMap", object),
  updated(object, before) {
    checkKeys("ConfigMap", object);
    checkImmutable("ConfigMap", object, before);
  },
};

const namespaceKind: FakeKind = {
  ...resources.namespaces,
  created(object) {
    const { metadata } = object;
    metadata.labels = { ...recordAt(metadata, "labels"), "kubernetes.io/metadata.name": metadata.name };
    object.spec = { finalizers: ["kubernetes"] };
    object.status = { phase: "Active" };
  },
  updated(object, before) {
    object.spec = before.spec;
    object.status = before.status;
  },
  subresources: { status: (object, before) => ({ ...before, status: object.status }) },
  // Whoever empties it is a controller, which there is none of.
  lingers(object) {
    object.status = { phase: "Terminating" };
    return true;
  },
};

const podKind: FakeKind = {
  ...resources.pods,
  created(object) {
    const { containers } = recordAt(object, "spec");
    if (!Array.isArray(containers) || containers.length === 0) {
      throw invalid("Pod", object, "spec.containers: Required value");
    }
    object.status = { phase: "Pending", qosClass: "BestEffort" };
  },
  updated(object, before) {
    object.status = before.status;
    for (const field of ["nodeName", "serviceAccountName"]) {
      if (recordAt(object, "spec")[field] !== recordAt(before, "spec")[field]) {
        throw invalid("Pod", object, "spec: Forbidden: pod updates may not change fields");
      }
    }
  },
  subresources: { status: (object, before) => ({ ...before, status: object.status }) },
  // The node's kubelet would let go of it, which there is none of.
  lingers: (object, graceSeconds) => {
    const done = ["Succeeded", "Failed"].includes(textAt(recordAt(object, "status"), "phase") ?? "");
    return graceSeconds !== 0 && !done && textAt(recordAt(object, "spec"), "nodeName") !== undefined;
  },
};

const signingRequestKind: FakeKind = {
  ...resources.certificateSigningRequests,
  created(object, user) {
    checkSigningRequest(object);
    object.spec = { ...recordAt(object, "spec"), username: user, groups: ["system:authenticated"] };
    object.status = {};
  },
  updated(object, before) {
    object.spec = before.spec;
    object.status = before.status;
  },
  subresources: {
    approval(object, before) {
      const conditions = conditionsOf(object);
      checkConditions(object, before);
      return { ...before, status: { ...recordAt(before, "status"), conditions } };
    },
    status(object, before) {
      checkCertificate(object, before);
      checkConditions(object, before);
      const decided = (status: StoredObject): unknown[] =>
        conditionsOf(status).filter((condition) => condition.type === "Approved" || condition.type === "Denied");
      if (decided(object).length !== decided(before).length) {
        throw invalid(signingRequestName, object, "status.conditions: Forbidden: updates may not add such a condition");
      }
      return { ...before, status: object.status };
    },
  },
};

const signingRequestName = "CertificateSigningRequest.certificates.k8s.io";

function checkSigningRequest(object: StoredObject): void {
  const { request, signerName, usages, expirationSeconds } = recordAt(object, "spec");
  const refuse = (problem: string): never => {
    throw invalid(signingRequestName, object, problem);
  };
  const pem = typeof request === "string" ? Buffer.from(request, "base64").toString("latin1") : "";
  if (!pem.includes("-----BEGIN CERTIFICATE REQUEST-----")) {
    refuse(`spec.request: Invalid value: ${JSON.stringify(request)}: PEM block type must be CERTIFICATE REQUEST`);
  }
  if (!Array.isArray(usages) || usages.length === 0) refuse("spec.usages: Required value");
  if (typeof signerName !== "string" || !/^[a-z0-9.-]+\.[a-z0-9.-]+\/\S+$/.test(signerName)) {
    refuse(`spec.signerName: Invalid value: ${JSON.stringify(signerName)}: must be a fully qualified domain and path`);
  }
  if (expirationSeconds !== undefined && !(Number(expirationSeconds) >= minExpirationSeconds)) {
    refuse(
      `spec.expirationSeconds: Invalid value: ${expirationSeconds}: may not specify a duration less than 600 seconds (10 minutes)`,
    );
  }
}

function checkCertificate(object: StoredObject, before: StoredObject): void {
  const certificate = textAt(recordAt(object, "status"), "certificate");
  const earlier = textAt(recordAt(before, "status"), "certificate");
  if (earlier !== undefined && certificate !== earlier) {
    throw invalid(
      signingRequestName,
      object,
      "status.certificate: Forbidden: updates may not modify existing certificate content",
    );
  }
  if (certificate === undefined) return;
  if (!Buffer.from(certificate, "base64").toString("latin1").includes("-----BEGIN CERTIFICATE-----")) {
    const problem =
      'status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block';
    throw invalid(signingRequestName, object, problem);
  }
}

function checkConditions(object: StoredObject, before: StoredObject): void {
  const conditions = conditionsOf(object);
  const types = conditions.map((condition) => condition.type);
  for (const { type, status } of conditions) {
    if (status !== "True") {
      const problem = `status.conditions[0].status: Unsupported value: ${JSON.stringify(status)}: supported values: "True"`;
      throw invalid(signingRequestName, object, problem);
    }
    if (typeof type !== "string" || type === "") throw invalid(signingRequestName, object, "type: Required value");
  }
  if (types.includes("Approved") && types.includes("Denied")) {
    const problem = 'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive';
    throw invalid(signingRequestName, object, problem);
  }
  for (const { type } of conditionsOf(before)) {
    if (types.includes(type)) continue;
    const problem = `status.conditions: Forbidden: updates may not remove a condition of type ${JSON.stringify(type)}`;
    throw invalid(signingRequestName, object, problem);
  }
}

function conditionsOf(object: StoredObject): readonly Record<string, unknown>[] {
  const { conditions } = recordAt(object, "status");
  return Array.isArray(conditions) ? conditions.filter(isRecord) : [];
}

function checkKeys(kind: string, object: StoredObject): void {
  for (const field of ["data", "binaryData"]) {
    for (const key of Object.keys(recordAt(object, field))) {
      if (!/^[-._a-zA-Z0-9]+$/.test(key)) {
        throw invalid(
          kind,
          object,
          `${field}[${key}]: Invalid value: ${JSON.stringify(key)}: a valid config key must consist of alphanumeric characters`,
        );
      }
    }
  }
}

function checkBase64(kind: string, object: StoredObject): void {
  for (const value of Object.values(recordAt(object, "data"))) {
    if (typeof value !== "string" || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)) {
      throw badRequest(`${kind} in version "v1" cannot be handled as a ${kind}: illegal base64 data at input byte 0`);
    }
  }
}

function checkImmutable(kind: string, object: StoredObject, before: StoredObject): void {
  if (before.immutable !== true) return;
  for (const field of ["data", "binaryData", "immutable"]) {
    if (!isDeepStrictEqual(object[field], before[field])) {
      throw invalid(kind, object, `${field}: Forbidden: field is immutable when \`immutable\` is set`);
    }
  }
}

function checkLeaseTimes(object: StoredObject): void {
  for (const field of ["acquireTime", "renewTime"]) {
    const time = recordAt(object, "spec")[field];
    if (typeof time === "string" && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(time)) {
      throw badRequest(`Lease in version "v1" cannot be handled as a Lease: parsing time ${JSON.stringify(time)}`);
    }
  }
}

function invalid(kind: string, object: StoredObject, problem: string): Error {
  return invalidField(kind, object.metadata.name, problem);
}
