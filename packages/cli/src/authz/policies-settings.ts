import { type Setting, setting } from "@signet/runtime";

/** What every `signet authz` command is told of documents. */
export const policiesSettings: {
  readonly policies: Setting<string | undefined>;
  readonly namespace: Setting<string>;
  readonly meshConfig: Setting<string | undefined>;
} = {
  policies: setting.text({
    flag: "policies",
    description: "a file of Istio's documents, or a directory of them and those below it (.yaml, .yml, .json)",
  }),
  namespace: setting.text({
    flag: "namespace",
    default: "default",
    description: "the namespace of documents that name none",
  }),
  meshConfig: setting.text({
    flag: "mesh-config",
    description: "a file with Istio's mesh config; without it the trust domain is cluster.local",
  }),
};
