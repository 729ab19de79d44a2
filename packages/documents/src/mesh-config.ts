import { parseTrustDomain, type TrustDomain } from "@signet/spiffe";
import type { NodeOf } from "./document-node.ts";
import type { DocumentProblem } from "./document-problem.ts";
import { createDocumentText, type DocumentText } from "./document-text.ts";
import { type ExtensionProvider, readExtensionProviders } from "./extension-provider.ts";
import { createFieldReader, type FieldReader } from "./field-reader.ts";
import { parseYaml } from "./parse-yaml.ts";

/** An authority beside the mesh's own: its certificate, or where its bundle is. */
export type MeshCaCertificate = {
  /** PEM with at least one certificate block; whether it holds a certificate is for its reader to see. */
  readonly pem?: string;
  /** An https URL of a SPIFFE trust bundle. */
  readonly spiffeBundleUrl?: string;
  /** Kubernetes signers whose certificates it vouches for; none means all. */
  readonly certSigners: readonly string[];
  /** Trust domains it vouches for; none means the mesh's own and its aliases. */
  readonly trustDomains: readonly TrustDomain[];
};

const pathNormalizations = ["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] as const;
const tlsVersions = ["TLS_AUTO", "TLSV1_2", "TLSV1_3"] as const;

/** How paths are made alike before anything looks at them; DEFAULT is BASE. */
export type PathNormalization = (typeof pathNormalizations)[number];

/** The least version of TLS between workloads; TLS_AUTO is TLSV1_2. */
export type MinTlsVersion = (typeof tlsVersions)[number];

/** What we read of Istio's MeshConfig; what is absent has Istio's default, which is the reader's to apply. */
export type MeshConfig = {
  readonly trustDomain?: TrustDomain;
  readonly trustDomainAliases: readonly TrustDomain[];
  readonly caCertificates: readonly MeshCaCertificate[];
  /** `defaultConfig.discoveryAddress`: where proxies find istiod, as host:port. */
  readonly discoveryAddress?: string;
  /** The namespace whose policies are the whole mesh's. */
  readonly rootNamespace?: string;
  /** Who may be asked about requests, in the order of the text. */
  readonly extensionProviders: readonly ExtensionProvider[];
  /** `pathNormalization.normalization`. */
  readonly pathNormalization?: PathNormalization;
  /** `defaultConfig.gatewayTopology.numTrustedProxies`: how many proxies before a gateway are believed in `x-forwarded-for`. */
  readonly numTrustedProxies?: number;
  /** `meshMTLS.minProtocolVersion`. */
  readonly minTlsVersion?: MinTlsVersion;
};

/** A mesh config, or everything that is wrong with it. */
export type ParsedMeshConfig =
  | { readonly kind: "mesh-config"; readonly meshConfig: MeshConfig }
  | { readonly kind: "refused"; readonly problems: readonly DocumentProblem[] };

/**
 * Returns what we read of a mesh config: the document under key `mesh` of Istio's ConfigMap, in YAML or JSON. Never throws.
 *
 * Fields that we do not read are passed over, since there are hundreds; one that we do read and that is not what it should
 * be refuses the whole, with its line and column. An extension provider that cannot be used is an invalid one in the list
 * instead, since in a mesh that denies what it would have been asked about, and nothing else. Names are lowerCamelCase or snake_case. A `@` in a trust domain becomes a
 * dot, as in the SPIFFE IDs that Istio makes of it. An empty text is an empty mesh config. At most 512 Ki characters, no
 * tags, no merge keys; aliases add up to no more than 200000 values.
 * @example
 * ```ts
 * import { describeProblem, parseMeshConfig } from "@signet/documents";
 * const parsed = parseMeshConfig("trustDomain: prod.example\n", { file: "mesh.yaml" });
 * if (parsed.kind === "mesh-config") parsed.meshConfig.trustDomain; // "prod.example"
 * else for (const problem of parsed.problems) describeProblem(problem);
 * ```
 */
export function parseMeshConfig(text: string, { file }: { readonly file: string }): ParsedMeshConfig {
  const about = createDocumentText(text, file);
  const root = onlyMap(text, about);
  const meshConfig = root && readMeshConfig(createFieldReader(root, { path: "", about }), about);
  if (about.problems.length > 0 || meshConfig === undefined) return { kind: "refused", problems: about.problems };
  return { kind: "mesh-config", meshConfig };
}

function onlyMap(text: string, about: DocumentText): NodeOf<"map"> | undefined {
  const [root, second] = parseYaml(text, about).filter(({ kind }) => kind !== "null");
  if (about.problems.length > 0) return undefined;
  if (root === undefined) return { kind: "map", offset: 0, entries: new Map() };
  if (second !== undefined)
    about.report({ offset: second.offset, path: "", message: "is a second document, and one is read" });
  if (root.kind === "map") return root;
  about.report({ offset: root.offset, path: "", message: "is not a map of fields" });
  return undefined;
}

function readMeshConfig(mesh: FieldReader, about: DocumentText): MeshConfig {
  const trustDomain = mesh.parsed("trustDomain", readTrustDomain);
  const rootNamespace = mesh.parsed("rootNamespace", readNamespace);
  const proxy = mesh.map("defaultConfig");
  const discoveryAddress = proxy?.parsed("discoveryAddress", readAddress);
  const numTrustedProxies = proxy?.map("gatewayTopology")?.integer("numTrustedProxies");
  const pathNormalization = mesh.map("pathNormalization")?.parsed("normalization", oneOf(pathNormalizations));
  // Its two names in protobuf's JSON are not made of each other as those of other fields are.
  const tls = mesh.map("meshMTLS") ?? mesh.map("mesh_mTLS");
  const minTlsVersion = tls?.parsed("minProtocolVersion", oneOf(tlsVersions));
  return {
    trustDomainAliases: mesh.parsedList("trustDomainAliases", readTrustDomain),
    caCertificates: mesh.maps("caCertificates").map(readCaCertificate),
    ...(trustDomain !== undefined && { trustDomain }),
    ...(discoveryAddress !== undefined && { discoveryAddress }),
    ...(rootNamespace !== undefined && { rootNamespace }),
    extensionProviders: readExtensionProviders(mesh, about),
    ...(pathNormalization !== undefined && { pathNormalization }),
    ...(numTrustedProxies !== undefined && { numTrustedProxies }),
    ...(minTlsVersion !== undefined && { minTlsVersion }),
  };
}

function readCaCertificate(entry: FieldReader): MeshCaCertificate {
  const pem = entry.parsed("pem", readPem);
  const spiffeBundleUrl = entry.parsed("spiffeBundleUrl", readBundleUrl);
  if (pem !== undefined && spiffeBundleUrl !== undefined) {
    entry.report("holds pem and spiffeBundleUrl, and only one of them may be set");
  }
  if (!entry.holds("pem") && !entry.holds("spiffeBundleUrl")) entry.report("holds neither pem nor spiffeBundleUrl");
  return {
    certSigners: entry.parsedList("certSigners", readName),
    trustDomains: entry.parsedList("trustDomains", readTrustDomain),
    ...(pem !== undefined && { pem }),
    ...(spiffeBundleUrl !== undefined && { spiffeBundleUrl }),
  };
}

function oneOf<T extends string>(names: readonly T[]): (text: string) => T {
  return (text) => {
    const found = names.find((name) => name === text);
    if (found !== undefined) return found;
    throw new Error(`it is none of ${names.join(", ")}`);
  };
}

function readTrustDomain(text: string): TrustDomain {
  return parseTrustDomain(text.replaceAll("@", "."));
}

function readNamespace(text: string): string {
  // RFC 1123 section 2.1, as Kubernetes has it.
  if (text.length > 63 || !/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text)) throw new Error("a namespace is a DNS label");
  return text;
}

function readAddress(text: string): string {
  const port = Number(/:(\d{1,5})$/.exec(text)?.[1]);
  if (/[\s/@]/.test(text) || text.startsWith(":") || !(port >= 1 && port <= 65_535)) {
    throw new Error("an address is a host and a port, such as istiod.istio-system.svc:15012");
  }
  return text;
}

function readPem(text: string): string {
  if (!text.includes("-----BEGIN CERTIFICATE-----")) throw new Error("there is no certificate in it");
  // Somebody's mistake, which would otherwise travel to every proxy.
  if (text.includes("PRIVATE KEY-----")) throw new Error("there is a private key in it");
  return text;
}

function readBundleUrl(text: string): string {
  // Istio puts https before what has no scheme.
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  if (url?.protocol !== "https:") throw new Error("a SPIFFE bundle is at an https URL");
  if (url.username !== "" || url.password !== "") throw new Error("the URL carries user info");
  return url.href;
}

function readName(text: string): string {
  if (text === "") throw new Error("it is empty");
  return text;
}
