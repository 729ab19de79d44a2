import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { kubeObjects } from "./support/kube-objects.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();

type ManifestObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
};

/** The objects of a manifest, in a namespace of the test. */
function objectsOf(file: string, namespace: string): readonly ManifestObject[] {
  const text = readFileSync(new URL(`../../deploy/kubernetes/${file}`, import.meta.url), "utf8");
  return parseAllDocuments(text).map((document): ManifestObject => {
    const object: ManifestObject = document.toJS();
    return { ...object, metadata: { ...object.metadata, namespace } };
  });
}

const plurals: Readonly<Record<string, string>> = {
  Deployment: "deployments",
  Service: "services",
  PodDisruptionBudget: "poddisruptionbudgets",
  ServiceAccount: "serviceaccounts",
  Pod: "pods",
};

describe.skipIf(kube.skipped)(`the manifests of deploy/kubernetes ${kube.skipped}`, () => {
  let server: KubeServer;
  let namespace: string;

  beforeAll(async () => {
    server = await kube.start();
    // The level that Kubernetes calls restricted, so that nothing in them needs a right it does not say.
    namespace = await kubeObjects(server).createNamespace("manifests", {
      "pod-security.kubernetes.io/enforce": "restricted",
    });
  });

  afterAll(() => server?.close());

  /** Creates an object for real, with every unknown or doubled field refused. */
  async function create({ apiVersion, kind, metadata, ...rest }: ManifestObject): Promise<string> {
    const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const path = `${group}/namespaces/${namespace}/${plurals[kind]}?fieldValidation=Strict`;
    const answer = await server.request({ method: "POST", path, body: { apiVersion, kind, metadata, ...rest } });
    return answer.status === 201 ? "created" : `${answer.status} ${String(answer.at("message"))}`;
  }

  it.each(["ca-server.yaml", "example-pod.yaml"])("%s is taken as it is", async (file) => {
    for (const object of objectsOf(file, namespace)) {
      expect(`${object.kind}: ${await create(object)}`).toBe(`${object.kind}: created`);
    }
  });

  it("a pod of the CA server is one that a restricted namespace takes", async () => {
    const deployment = objectsOf("ca-server.yaml", namespace).find(({ kind }) => kind === "Deployment");
    const { template } = (deployment as unknown as { spec: { template: { metadata: object; spec: object } } }).spec;
    await create({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "signet-ca", namespace } });
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      ...template,
      metadata: { ...template.metadata, name: "ca", namespace },
    };
    expect(await create(pod)).toBe("created");
  });

  it("a typo in one would be found", async () => {
    const [object] = objectsOf("ca-server.yaml", namespace);
    if (object === undefined) throw new Error("there is no object");
    const wrong = { ...object, metadata: { ...object.metadata, name: "typo" }, spek: {} };
    expect(await create(wrong)).toContain("unknown field");
  });
});
