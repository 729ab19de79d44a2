/** How bad a finding is: an error lets in or shuts out somebody it should not, a warning may, a note is worth a thought. */
export type LintSeverity = "error" | "warning" | "note";

/** What is said of every finding of one kind; a finding may be worse or milder where what is at stake is. */
export type LintRule = { readonly severity: LintSeverity; readonly summary: string };

/** The name of a kind of finding. */
export type LintId =
  | "document-refused"
  | "document-warning"
  | "rule-never-matches"
  | "rule-shadowed"
  | "rule-denied"
  | "allow-everything"
  | "allow-anyone"
  | "no-allow-policy"
  | "dry-run-allows-all"
  | "http-fields-on-tcp"
  | "source-needs-mtls"
  | "ip-blocks-behind-proxy"
  | "ip-family"
  | "cidr-host-bits"
  | "token-not-verified"
  | "token-not-required"
  | "issuer-unknown"
  | "subject-with-slash"
  | "request-principal-cut"
  | "claim-never-matches"
  | "claim-not-text"
  | "audience-unchecked"
  | "jwks-over-http"
  | "output-claim-dotted"
  | "host-without-port"
  | "host-syntax"
  | "star-is-literal"
  | "method-case"
  | "path-never-matches"
  | "path-slashes"
  | "header-name"
  | "metadata-key"
  | "principal-shape"
  | "trust-domain-unknown"
  | "alias-not-expanded"
  | "provider-unknown"
  | "several-providers"
  | "provider-http-on-tcp"
  | "provider-fails-open"
  | "audit-unseen"
  | "target-ignored"
  | "peer-authentication-ignored"
  | "peer-authentication-shadowed";

/**
 * What `lint` looks for, by id.
 * @example
 * ```ts
 * import { lintCatalog } from "@signet/policy";
 * lintCatalog["http-fields-on-tcp"].severity; // "error"
 * ```
 */
export const lintCatalog: Readonly<Record<LintId, LintRule>> = {
  "document-refused": { severity: "error", summary: "A document that is not valid, and so counts for nothing good." },
  "document-warning": { severity: "warning", summary: "What Istio warns of when a document is applied." },

  "rule-never-matches": { severity: "warning", summary: "A rule, a source or an operation that contradicts itself." },
  "rule-shadowed": { severity: "warning", summary: "A rule that another rule of the same action makes superfluous." },
  "rule-denied": { severity: "warning", summary: "An ALLOW rule of which DENY policies leave nothing." },
  "allow-everything": { severity: "warning", summary: "An ALLOW rule that matches every request." },
  "allow-anyone": { severity: "note", summary: "An ALLOW rule that does not say who may." },
  "no-allow-policy": {
    severity: "warning",
    summary: "DENY or CUSTOM policies for workloads without an ALLOW policy: what they do not match is allowed.",
  },
  "dry-run-allows-all": {
    severity: "note",
    summary: "All ALLOW policies for some workloads are on dry-run, so that everything is allowed.",
  },

  "http-fields-on-tcp": {
    severity: "error",
    summary: "A DENY, AUDIT or CUSTOM rule about HTTP that matches far more connections on TCP ports.",
  },
  "source-needs-mtls": {
    severity: "warning",
    summary: "A source that is told by mutual TLS, where plaintext is let in or mutual TLS is off.",
  },
  "ip-blocks-behind-proxy": {
    severity: "warning",
    summary: "The address of the TCP peer at a gateway, which is that of the load balancer before it.",
  },
  "ip-family": { severity: "warning", summary: "An IPv4 address written as IPv6, which no IPv4 peer matches." },
  "cidr-host-bits": { severity: "note", summary: "A range with bits set beyond the length of its prefix." },

  "token-not-verified": {
    severity: "warning",
    summary: "A condition about tokens where no RequestAuthentication verifies any.",
  },
  "token-not-required": {
    severity: "warning",
    summary: "A RequestAuthentication where no policy turns away requests without a token.",
  },
  "issuer-unknown": { severity: "warning", summary: "An issuer that no RequestAuthentication knows." },
  "subject-with-slash": {
    severity: "warning",
    summary: "A request principal whose subject holds a slash and is cut at the wrong one.",
  },
  "request-principal-cut": {
    severity: "warning",
    summary: "A request principal that is cut where its author did not mean it to be.",
  },
  "claim-never-matches": { severity: "warning", summary: "A value that the claim it is for can never have." },
  "claim-not-text": {
    severity: "note",
    summary: "A value that looks like a number or a boolean, and only text matches.",
  },
  "audience-unchecked": { severity: "warning", summary: "A JWT rule that accepts tokens for any audience." },
  "jwks-over-http": { severity: "warning", summary: "Keys that are fetched without TLS." },
  "output-claim-dotted": { severity: "note", summary: "A claim for a header whose name's dots lead into objects." },

  "host-without-port": {
    severity: "warning",
    summary: "A host without a variant for ports, so that host:port is another one.",
  },
  "host-syntax": { severity: "warning", summary: "A host that no request has." },
  "star-is-literal": { severity: "warning", summary: "A star that stands for itself, as it is not at an end." },
  "method-case": { severity: "warning", summary: "A method that is not in capitals, as methods are." },
  "path-never-matches": { severity: "warning", summary: "A path that no request has once paths are normalized." },
  "path-slashes": {
    severity: "note",
    summary: "A path that is denied, and of which more slashes make another one.",
  },
  "header-name": { severity: "warning", summary: "The name of no header." },
  "metadata-key": {
    severity: "warning",
    summary: "A key of metadata in more than one bracket, of which there are none.",
  },
  "principal-shape": { severity: "warning", summary: "A principal that no workload has." },
  "trust-domain-unknown": {
    severity: "warning",
    summary: "A trust domain that the mesh config does not know.",
  },
  "alias-not-expanded": {
    severity: "warning",
    summary: "A principal that names a trust domain and is too short or too long for its aliases to count.",
  },

  "provider-unknown": {
    severity: "error",
    summary: "A CUSTOM policy whose provider cannot be asked: what it matches is denied.",
  },
  "several-providers": {
    severity: "warning",
    summary: "More than one provider for a workload, which Istio denies unless it is told to allow for it.",
  },
  "provider-http-on-tcp": { severity: "note", summary: "A provider that is asked by HTTP, and so not about TCP." },
  "provider-fails-open": { severity: "note", summary: "A provider whose silence lets requests through." },
  "audit-unseen": { severity: "note", summary: "An AUDIT policy, which marks requests and logs nothing by itself." },
  "target-ignored": { severity: "error", summary: "A target that no gateway and no waypoint is found by." },
  "peer-authentication-ignored": { severity: "error", summary: "A PeerAuthentication that counts for nobody." },
  "peer-authentication-shadowed": {
    severity: "warning",
    summary: "A PeerAuthentication of the same scope as an older one, which alone counts.",
  },
};

/**
 * The names of all kinds of findings.
 * @example
 * ```ts
 * import { lintCatalog, lintIds } from "@signet/policy";
 * for (const id of lintIds) console.log(`${id}: ${lintCatalog[id].summary}`);
 * ```
 */
export const lintIds: readonly LintId[] = Object.keys(lintCatalog).filter(isLintId);

/**
 * Whether there is a kind of finding of that name.
 * @example
 * ```ts
 * import { isLintId } from "@signet/policy";
 * isLintId("http-fields-on-tcp"); // true
 * ```
 */
export function isLintId(text: string): text is LintId {
  return Object.hasOwn(lintCatalog, text);
}
