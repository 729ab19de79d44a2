import { type AuthorizationPolicy, readAuthorizationPolicy } from "./authorization-policy.ts";
import type { DocumentNode, NodeOf } from "./document-node.ts";
import type { DocumentProblem } from "./document-problem.ts";
import { createDocumentText, type DocumentText } from "./document-text.ts";
import { createFieldReader, type FieldReader } from "./field-reader.ts";
import { type KindReader, readKubernetesObject } from "./kubernetes-object.ts";
import { readYaml } from "./parse-yaml.ts";
import { type PeerAuthentication, readPeerAuthentication } from "./peer-authentication.ts";
import { type RefusedDocument, refuseDocument } from "./refused-document.ts";
import { type RequestAuthentication, readRequestAuthentication } from "./request-authentication.ts";
import { splitYaml, type TextSpan } from "./split-yaml.ts";

/** A document of Istio's that is valid. */
export type Document = RequestAuthentication | AuthorizationPolicy | PeerAuthentication;

/** What a text holds. */
export type ParsedDocuments = {
  /** In the order of the text. */
  readonly documents: readonly Document[];
  readonly refused: readonly RefusedDocument[];
  /** What is allowed and seldom meant, of documents of either fate. */
  readonly warnings: readonly DocumentProblem[];
  /** How many objects of other kinds were passed over, by version and kind, such as `apps/v1 Deployment`. */
  readonly skipped: ReadonlyMap<string, number>;
};

/** What the text is called, and which namespace (default `default`) a document has that names none. */
export type ParseOptions = { readonly file: string; readonly namespace?: string };

const group = "security.istio.io";
const versions: readonly string[] = [`${group}/v1`, `${group}/v1beta1`];

/** The kinds of the group. */
const kinds: ReadonlyMap<string, KindReader<Document>> = new Map<string, KindReader<Document>>([
  ["RequestAuthentication", readRequestAuthentication],
  ["AuthorizationPolicy", readAuthorizationPolicy],
  ["PeerAuthentication", readPeerAuthentication],
]);

/** Largest text, in UTF-16 code units; each YAML document in it may have 524288. */
const maxLength = 8_388_608;
const maxDocuments = 100_000;

/**
 * Returns Istio's documents in a YAML or JSON text, several to a text, and lists of them as `kubectl get` prints them.
 * Never throws.
 *
 * The unit of rejection is one document: what is wrong with it never changes another. Validation is that of Istio and of its
 * custom resource definitions, unknown fields included, since a policy with a typo is another policy; each problem has
 * Istio's words, the path in the document, file, line and column. Objects of other API groups are passed over and counted.
 * Of `security.istio.io` the versions v1 and v1beta1 are read. At most 8388608 characters and 100000 documents, each YAML
 * document at most 524288 characters and 200000 values; names and labels are not compared with a cluster.
 * @example
 * ```ts
 * import { describeProblem, parseDocuments } from "@signet/documents";
 * const text = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: jwt}\nspec: {jwtRule: []}\n";
 * const { documents, refused } = parseDocuments(text, { file: "jwt.yaml", namespace: "foo" });
 * documents.length; // 0
 * for (const { problems } of refused) problems.map(describeProblem); // jwt.yaml:4:17: spec.jwtRule is not valid: unknown field
 * ```
 */
export function parseDocuments(text: string, { file, namespace = "default" }: ParseOptions): ParsedDocuments {
  const whole = createDocumentText(text, file);
  const reading: Reading = {
    namespace,
    documents: [],
    refused: [],
    warnings: [],
    skipped: new Map(),
    names: new Set(),
  };
  const spans = text.length > maxLength ? [] : splitYaml(text);
  if (text.length > maxLength) whole.report({ offset: 0, path: "", message: `is longer than ${maxLength} characters` });
  if (spans.length > maxDocuments)
    whole.report({ offset: 0, path: "", message: `has more than ${maxDocuments} documents` });
  if (whole.problems.length > 0) reading.refused.push(refuseDocument(undefined, { about: whole, offset: 0 }));
  else for (const span of spans) readSpan(text, { span, about: whole.fresh() }, reading);
  const { documents, refused, warnings, skipped } = reading;
  return { documents, refused, warnings, skipped };
}

/** What has been read so far. */
type Reading = {
  readonly namespace: string;
  readonly documents: Document[];
  readonly refused: RefusedDocument[];
  readonly warnings: DocumentProblem[];
  readonly skipped: Map<string, number>;
  /** Kind, namespace and name of each of the documents. */
  readonly names: Set<string>;
};

type SpanToRead = { readonly span: TextSpan; readonly about: DocumentText };

function readSpan(text: string, { span, about }: SpanToRead, reading: Reading): void {
  const [root, second] = readYaml(text, about, span);
  if (second !== undefined)
    about.report({ offset: second.offset, path: "", message: "is a second document without ---" });
  if (about.problems.length > 0) {
    reading.refused.push(refuseDocument(root, { about, offset: root?.offset ?? span.start }));
  } else if (root !== undefined && root.kind !== "null") {
    readNode(root, { path: "", about }, reading);
  }
}

/** Where an object is: in a document of its own, or in a list. */
type Place = {
  readonly path: string;
  readonly about: DocumentText;
  readonly list?: { apiVersion: string; kind: string };
};

function readNode(node: DocumentNode, place: Place, reading: Reading): void {
  const { path, about, list } = place;
  if (node.kind !== "map") {
    refuse(node, "is not a map of fields", { place, reading });
    return;
  }
  const root = createFieldReader(node, { path, about, exact: true });
  const apiVersion = root.text("apiVersion") ?? list?.apiVersion ?? "";
  const kind = root.text("kind") ?? list?.kind ?? "";
  const item = kind.endsWith("List") ? kind.slice(0, -"List".length) : kind;
  const read = kinds.get(kind);
  if (apiVersion === "" || kind === "") {
    refuse(node, "has no apiVersion and kind that say what it is", { place, reading });
  } else if (apiVersion === "v1" && kind === "List") {
    readList(node, place, reading);
  } else if (!apiVersion.startsWith(`${group}/`)) {
    skip(root, { apiVersion, kind, about }, reading);
  } else if (versions.includes(apiVersion) && item !== kind && kinds.has(item)) {
    readList(node, { ...place, list: { apiVersion, kind: item } }, reading);
  } else if (!versions.includes(apiVersion) || read === undefined) {
    const message = `is not valid: no matches for kind ${quote(kind)} in version ${quote(apiVersion)}`;
    refuse(node, message, { place, reading });
  } else {
    const object = readKubernetesObject(root, { about, namespace: reading.namespace });
    keep(read({ object, spec: root.map("spec"), about }), { node, root, about }, reading);
  }
}

type At = { readonly place: Place; readonly reading: Reading };

function refuse(node: DocumentNode, message: string, { place: { about, path, list }, reading }: At): void {
  about.report({ offset: node.offset, path, message });
  const kind = list?.kind;
  reading.refused.push(refuseDocument(node, { about, offset: node.offset, namespace: reading.namespace, kind }));
}

function keep(
  document: Document,
  { node, root, about }: { readonly node: DocumentNode; readonly root: FieldReader; readonly about: DocumentText },
  reading: Reading,
): void {
  const { kind } = document;
  if (about.problems.length > 0) {
    reading.refused.push(refuseDocument(node, { about, offset: node.offset, namespace: reading.namespace, kind }));
  } else {
    const name = JSON.stringify([document.kind, document.namespace, document.name]);
    if (reading.names.has(name)) root.warn("is named like another one in this text, and both count", "metadata");
    reading.names.add(name);
    reading.documents.push(document);
  }
  reading.warnings.push(...about.warnings);
}

/** The entries of a list are documents of their own. */
function readList(node: NodeOf<"map">, place: Place, reading: Reading): void {
  const { path, about, list } = place;
  const items = node.entries.get("items")?.value;
  // What Go writes for a list without entries.
  if (items?.kind === "null") return;
  if (items?.kind !== "list") {
    about.report({
      offset: items?.offset ?? node.offset,
      path,
      message: "is a list of objects without a list in items",
    });
    reading.refused.push(refuseDocument(node, { about, offset: node.offset }));
    return;
  }
  const prefix = path === "" ? "items" : `${path}.items`;
  for (const [index, item] of items.items.entries()) {
    const inner = { path: `${prefix}[${index}]`, about: about.fresh(), ...(list !== undefined && { list }) };
    readNode(item, inner, reading);
  }
}

type Skipped = { readonly apiVersion: string; readonly kind: string; readonly about: DocumentText };

function skip(root: FieldReader, { apiVersion, kind, about }: Skipped, reading: Reading): void {
  const name = `${apiVersion} ${kind}`.slice(0, 200);
  reading.skipped.set(name, (reading.skipped.get(name) ?? 0) + 1);
  if (!kinds.has(kind) || versions.includes(apiVersion)) return;
  root.warn(`is passed over: kind ${quote(kind)} is read in ${versions.join(" and ")}`, "apiVersion");
  reading.warnings.push(...about.warnings);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
