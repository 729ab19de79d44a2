/** A cluster in memory, an API server over it, and the behaviour suite that the real one passes too; for tests only. */

export type { FakeFault, FakeFaultKind, FakeOutgoing, FakeRequest } from "./testing/fake-answers.ts";
export { type FakeApiServer, startFakeApiServer } from "./testing/fake-api-server.ts";
export { FakeCluster, type FakeIncoming } from "./testing/fake-cluster.ts";
export { type FakeKubernetes, fakeKubernetes } from "./testing/fake-kubernetes.ts";
export type { WatchBreak } from "./testing/fake-watches.ts";
export { type KubernetesApiSubject, kubernetesApiSuite, type SuiteTools } from "./testing/kubernetes-api-suite.ts";
