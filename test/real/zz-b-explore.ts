import { connectCluster, mirror, resources } from "@signet/kubernetes";
import { systemClock } from "@signet/runtime";
import { startKubeApiserver } from "./support/kube-server.ts";

const never = new AbortController().signal;
const kube = await startKubeApiserver({
  etcd: "/tmp/gobuild/bin/etcd",
  kubeApiserver: "/tmp/gobuild/bin/kube-apiserver",
});
try {
  console.log(kube.url, kube.version);
  const api = await connectCluster(
    { kind: "kubeconfig-text", text: kube.kubeconfigText },
    { clock: systemClock, limits: { watchSeconds: 8 } },
  );
  const ns = await api.list(resources.namespaces, {}, never);
  console.log(
    ns.resourceVersion,
    ns.items.map((n) => [n.metadata.name, n.status]),
  );
  for (const r of [resources.secrets, resources.pods]) {
    const l = await api.list(r as any, {}, never);
    const t = Date.now();
    console.log(r.plural, l.resourceVersion);
    try {
      for await (const e of api.watch(r as any, { resourceVersion: l.resourceVersion }, never))
        console.log(Date.now() - t, r.plural, JSON.stringify(e).slice(0, 200));
    } catch (e) {
      console.log(e);
    }
    console.log("end", Date.now() - t);
  }
  const raw = async (method: any, path: string, body?: any, ct?: string) => {
    const a = await kube.request({ method, path, ...(body ? { body } : {}) } as any);
    console.log(method, path, JSON.stringify(a).slice(0, 1200));
  };
  await raw("GET", "/api/v1/namespaces/default/secrets/none");
  await raw("GET", "/api/v1/nothing");
  await raw("GET", "/api/v1/namespaces/nope/secrets");
  await raw("POST", "/api/v1/namespaces/nope/secrets", { metadata: { name: "x" } });
  await raw("POST", "/api/v1/namespaces/default/secrets", { metadata: { name: "X_" } });
  await raw("POST", "/api/v1/namespaces/default/secrets", { metadata: { name: "x", resourceVersion: "5" } });
  await raw("POST", "/api/v1/namespaces/default/secrets", { metadata: { name: "x" }, data: { a: "eA==" } });
  await raw("POST", "/api/v1/namespaces/default/secrets", { metadata: { name: "x" } });
  await raw("PUT", "/api/v1/namespaces/default/secrets/x", { metadata: { name: "x", resourceVersion: "5" } });
  await raw("PUT", "/api/v1/namespaces/default/secrets/y", { metadata: { name: "y" } });
  await raw("PUT", "/api/v1/namespaces/default/secrets/x", { metadata: { name: "x" }, type: "b" });
  await raw("DELETE", "/api/v1/namespaces/default/secrets/x");
  await raw("DELETE", "/api/v1/namespaces/default/secrets/x");
  await raw("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: "abc", audiences: ["istio-ca"] } });
  await raw("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: "", audiences: ["istio-ca"] } });
  await raw("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
    spec: { token: "a.b.c", audiences: ["istio-ca"] },
  });
  await raw("POST", "/api/v1/namespaces/default/serviceaccounts", { metadata: { name: "sa1" } });
  await raw("POST", "/api/v1/namespaces/default/serviceaccounts/sa1/token", {
    spec: { expirationSeconds: 10, audiences: ["istio-ca"] },
  });
  await raw("POST", "/api/v1/namespaces/default/serviceaccounts/sa1/token", {
    spec: {
      expirationSeconds: 600,
      audiences: ["istio-ca"],
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid: "u" },
    },
  });
  await raw("POST", "/api/v1/namespaces/default/serviceaccounts/none/token", {
    spec: { expirationSeconds: 600, audiences: ["istio-ca"] },
  });
  await raw("POST", "/api/v1/namespaces/default/pods", {
    metadata: { name: "p" },
    spec: { nodeName: "node1", serviceAccountName: "sa1", containers: [{ name: "c", image: "i" }] },
  });
  const pod = await api.read(resources.pods, { namespace: "default", name: "p" }, never);
  const tok = await api.requestToken(
    {
      namespace: "default",
      serviceAccount: "sa1",
      audiences: ["istio-ca"],
      expirationSeconds: 600,
      boundPod: { name: "p", uid: pod!.metadata.uid! },
    },
    never,
  );
  console.log(
    tok.expiresAt,
    JSON.parse(Buffer.from(tok.token.split(".")[1]!, "base64url").toString()),
    Buffer.from(tok.token.split(".")[0]!, "base64url").toString(),
  );
  await raw("POST", "/api/v1/namespaces/default/serviceaccounts/sa1/token", {
    spec: {
      expirationSeconds: 600,
      audiences: ["istio-ca"],
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid: "u" },
    },
  });
  for (const audiences of [["istio-ca"], ["other"], [], ["istio-ca", "x"]])
    await raw("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: tok.token, audiences } });
  await raw("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
    spec: { token: tok.token.slice(0, -8) + "AAAAAAAA", audiences: ["istio-ca"] },
  });
  await raw("DELETE", "/api/v1/namespaces/default/pods/p");
  await raw("DELETE", "/api/v1/namespaces/default/pods/p?gracePeriodSeconds=0");
  await raw("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
    spec: { token: tok.token, audiences: ["istio-ca"] },
  });
  await raw("GET", "/openid/v1/jwks");
  await raw("GET", "/.well-known/openid-configuration");
  // old watches
  for (const rv of ["1", "0", "99999999", "abc"]) {
    const t = Date.now();
    try {
      for await (const e of api.watch(resources.secrets, { resourceVersion: rv }, AbortSignal.timeout(4000)))
        console.log(rv, Date.now() - t, JSON.stringify(e).slice(0, 150));
    } catch (e) {
      console.log(rv, Date.now() - t, e);
    }
  }
  await raw("GET", "/api/v1/secrets?limit=1&continue=abc");
  api.close();
} finally {
  await kube.close();
}
