import { randomBytes } from "node:crypto";
import type { HttpsAnswer } from "@signet/cli/testing";
import type { KubeServer } from "./kube-server.ts";

/** Makes objects on the API server as its administrator; every maker throws unless the server does what it is told. */
export interface KubeObjects {
  /** A namespace with a name of its own, so that suites can share a server. */
  createNamespace(prefix: string, labels?: Readonly<Record<string, string>>): Promise<string>;
  createServiceAccount(namespace: string, name: string): Promise<{ readonly uid: string }>;
  deleteServiceAccount(namespace: string, name: string): Promise<void>;
  /** A node that no kubelet stands behind. */
  createNode(prefix: string): Promise<{ readonly name: string; readonly uid: string }>;
  createPod(pod: PodSpec): Promise<{ readonly uid: string }>;
  setPodPhase(pod: PodName, phase: PodPhase): Promise<void>;
  /** Deletes at once, since no kubelet would. */
  deletePod(pod: PodName): Promise<void>;
  /** A token from TokenRequest; with `pod` it is bound to that pod. */
  requestToken(request: TokenSpec): Promise<string>;
  /** Lets a service account do what the rules say, everywhere, or in `onlyIn`. */
  grant(account: AccountName, rules: readonly PolicyRule[], onlyIn?: string): Promise<void>;
}

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
export type PodName = { readonly namespace: string; readonly name: string };
export type AccountName = { readonly namespace: string; readonly serviceAccount: string };
/** Runs, as far as the API server knows, unless `phase` says otherwise. */
export type PodSpec = PodName & AccountName & { readonly nodeName?: string; readonly phase?: PodPhase };
export type TokenSpec = AccountName & {
  readonly audiences: readonly string[];
  /** At least 600, which is the default. */
  readonly expirationSeconds?: number;
  readonly pod?: { readonly name: string; readonly uid: string };
};
/** A rule of RBAC. */
export type PolicyRule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
};

/** The makers for one server. */
export function kubeObjects(server: KubeServer): KubeObjects {
  const send = sender(server);
  const setPodPhase: KubeObjects["setPodPhase"] = async ({ namespace, name }, phase) => {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
    await send("PATCH", path, { status: { phase } }, "application/merge-patch+json");
  };
  const make: Make = async (collection, object) => {
    const made = await send("POST", collection, object);
    server.afterUse({ method: "DELETE", path: `${collection}/${object.metadata.name}` });
    return made;
  };
  return {
    async createNamespace(prefix, labels = {}) {
      const name = unique(prefix);
      await make("/api/v1/namespaces", { metadata: { name, labels } });
      return name;
    },
    async createServiceAccount(namespace, name) {
      const made = await send("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
      return { uid: made.textAt("metadata", "uid") };
    },
    async deleteServiceAccount(namespace, name) {
      await send("DELETE", `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`);
    },
    async createNode(prefix) {
      const name = unique(prefix);
      const made = await make("/api/v1/nodes", { metadata: { name } });
      return { name, uid: made.textAt("metadata", "uid") };
    },
    async createPod(pod) {
      const made = await send("POST", `/api/v1/namespaces/${pod.namespace}/pods`, podBody(pod));
      await setPodPhase(pod, pod.phase ?? "Running");
      return { uid: made.textAt("metadata", "uid") };
    },
    setPodPhase,
    async deletePod({ namespace, name }) {
      await send("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}?gracePeriodSeconds=0`);
    },
    async requestToken(request) {
      const path = `/api/v1/namespaces/${request.namespace}/serviceaccounts/${request.serviceAccount}/token`;
      return (await send("POST", path, tokenBody(request))).textAt("status", "token");
    },
    grant: (account, rules, onlyIn) => grant(make, { account, rules, onlyIn }),
  };
}

/** Creates what does not go with a namespace, to be deleted when the server is of somebody else. */
type Make = (
  collection: string,
  object: {
    readonly metadata: { readonly name: string; readonly [field: string]: unknown };
    readonly [field: string]: unknown;
  },
) => Promise<HttpsAnswer>;
type Send = (method: string, path: string, body?: unknown, contentType?: string) => Promise<HttpsAnswer>;

function sender(server: KubeServer): Send {
  return async (method, path, body, contentType) => {
    const headers = contentType === undefined ? {} : { "content-type": contentType };
    const answer = await server.request({ method, path, body, headers });
    if (answer.status >= 300) {
      throw new Error(`${method} ${path} was answered with ${answer.status}: ${String(answer.at("message"))}`);
    }
    return answer;
  };
}

function unique(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString("hex")}`;
}

function podBody({ name, serviceAccount, nodeName }: PodSpec): unknown {
  const containers = [{ name: "main", image: "example.invalid/none" }];
  return { metadata: { name }, spec: { containers, nodeName, serviceAccountName: serviceAccount } };
}

function tokenBody({ audiences, expirationSeconds = 600, pod }: TokenSpec): unknown {
  const boundObjectRef = pod === undefined ? undefined : { kind: "Pod", apiVersion: "v1", ...pod };
  return { spec: { audiences, expirationSeconds, boundObjectRef } };
}

async function grant(
  make: Make,
  role: { readonly account: AccountName; readonly rules: readonly PolicyRule[]; readonly onlyIn: string | undefined },
): Promise<void> {
  const { account, rules, onlyIn } = role;
  const place = `/apis/rbac.authorization.k8s.io/v1${onlyIn === undefined ? "" : `/namespaces/${onlyIn}`}`;
  const kind = onlyIn === undefined ? "ClusterRole" : "Role";
  const name = unique(account.serviceAccount);
  const subjects = [{ kind: "ServiceAccount", namespace: account.namespace, name: account.serviceAccount }];
  await make(`${place}/${kind.toLowerCase()}s`, { metadata: { name }, rules });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind, name };
  await make(`${place}/${kind.toLowerCase()}bindings`, { metadata: { name }, subjects, roleRef });
}
