/** What one package may import, besides Node: other packages of ours and third-party libraries. */
export type LayerRule = {
  readonly layer: 0 | 1 | 2 | 3 | 4 | 5;
  readonly packages: readonly string[];
  readonly libraries: readonly string[];
  /** When set, the one file (under the package) that may import the package's libraries. */
  readonly librariesOnlyIn?: string;
};

/**
 * The import table of docs/architecture.md. A package that is not listed may not exist; one that is listed need not exist yet.
 *
 * Two libraries are named more than once: whoever speaks protobuf makes and reads messages with `@bufbuild/protobuf`, and the
 * generated types of `protos` are its types; and `yaml` reads kubeconfigs as well as Istio's documents.
 */
export const layers: Readonly<Record<string, LayerRule>> = {
  spiffe: { layer: 0, packages: [], libraries: [] },
  runtime: { layer: 0, packages: [], libraries: ["pino", "prom-client"] },
  protos: { layer: 0, packages: [], libraries: ["@bufbuild/protobuf"] },

  documents: { layer: 1, packages: ["spiffe"], libraries: ["yaml"] },
  x509: {
    layer: 1,
    packages: ["spiffe"],
    libraries: ["@peculiar/x509", "@peculiar/webcrypto", "reflect-metadata"],
    librariesOnlyIn: "src/peculiar.ts",
  },
  jwt: { layer: 1, packages: ["runtime"], libraries: ["jose"] },
  grpc: { layer: 1, packages: ["runtime", "protos"], libraries: ["@grpc/grpc-js", "@bufbuild/protobuf"] },
  kubernetes: {
    layer: 1,
    packages: ["runtime"],
    libraries: ["yaml"],
    librariesOnlyIn: "src/parse-yaml.ts",
  },

  ca: { layer: 2, packages: ["spiffe", "x509", "runtime"], libraries: [] },
  "request-auth": { layer: 2, packages: ["documents", "jwt", "runtime"], libraries: [] },
  policy: { layer: 2, packages: ["spiffe", "documents"], libraries: [] },

  "ca-vault": { layer: 3, packages: ["ca", "spiffe", "x509", "runtime"], libraries: ["node-vault"] },
  "ca-kubernetes": { layer: 3, packages: ["ca", "spiffe", "x509", "kubernetes", "runtime"], libraries: [] },
  "envoy-config": { layer: 3, packages: ["documents", "policy", "request-auth", "spiffe", "protos"], libraries: [] },
  authorizer: {
    layer: 3,
    packages: ["spiffe", "documents", "runtime", "jwt", "request-auth", "policy"],
    libraries: [],
  },

  "ca-server": {
    layer: 4,
    packages: [
      ...["spiffe", "runtime", "protos", "documents", "x509", "jwt", "grpc", "kubernetes"],
      ...["ca", "ca-vault", "ca-kubernetes"],
    ],
    libraries: ["@bufbuild/protobuf"],
  },
  agent: {
    layer: 4,
    packages: ["spiffe", "runtime", "protos", "documents", "x509", "grpc"],
    libraries: ["@bufbuild/protobuf"],
  },
  "authz-server": {
    layer: 4,
    packages: ["spiffe", "runtime", "protos", "documents", "x509", "grpc", "authorizer"],
    libraries: ["@bufbuild/protobuf"],
  },
  gateway: { layer: 4, packages: ["spiffe", "documents", "runtime", "authorizer"], libraries: [] },
  tls: { layer: 4, packages: ["spiffe", "runtime", "protos", "x509", "grpc"], libraries: [] },

  cli: {
    layer: 5,
    packages: [
      ...["spiffe", "runtime", "protos", "documents", "x509", "jwt", "grpc", "kubernetes"],
      ...["ca", "request-auth", "policy", "ca-vault", "ca-kubernetes", "envoy-config", "authorizer"],
      ...["ca-server", "agent", "authz-server", "gateway", "tls"],
    ],
    libraries: ["@bufbuild/protobuf"],
  },
};

/** Libraries that any test may import; the root package.json lists them. */
export const testLibraries: readonly string[] = ["vitest", "fast-check"];

/** Packages whose entry points are more than `.` and `./testing`. */
export const packagesWithSubpaths: readonly string[] = ["protos", "gateway"];
