import type { DocumentPosition } from "./document-problem.ts";
import type { FieldReader } from "./field-reader.ts";
import {
  anyValue,
  ipBlock,
  listName,
  maxServiceAccounts,
  serviceAccount,
  trustDomain,
  type ValueCheck,
} from "./rule-values.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";

/** Who a request is from: every field that is not empty must match, each by one of its values; `not...` by none of them. */
export type AuthorizationSource = Readonly<Record<SourceField, readonly string[]>> & {
  readonly position: DocumentPosition;
};

export type SourceField =
  | ("principals" | "notPrincipals" | "requestPrincipals" | "notRequestPrincipals")
  | ("namespaces" | "notNamespaces" | "serviceAccounts" | "notServiceAccounts" | "trustDomains" | "notTrustDomains")
  | ("ipBlocks" | "notIpBlocks" | "remoteIpBlocks" | "notRemoteIpBlocks");

/** Fields that look at the token of a request, which a TCP connection has none of. */
export const httpSourceFields: readonly SourceField[] = ["requestPrincipals", "notRequestPrincipals"];

/** Fields that a CUSTOM policy may not have, as it decides before tokens are verified. */
const notForCustom: readonly SourceField[] = [
  ...(["namespaces", "notNamespaces", "serviceAccounts", "notServiceAccounts", "trustDomains"] as const),
  ...(["notTrustDomains", "principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals"] as const),
];

/** What a rule is part of, for what is said of its parts. */
export type RuleContext = {
  readonly index: number;
  readonly isCustom: boolean;
  readonly position: (offset: number) => DocumentPosition;
};

/** Reads a `source`, and notes what is wrong with it. */
export function readSource(source: FieldReader, { index, isCustom, position }: RuleContext): AuthorizationSource {
  const list = (name: SourceField, check: ValueCheck = anyValue): readonly string[] =>
    source.parsedList(name, check(listName(name)));
  const fields = {
    principals: list("principals"),
    notPrincipals: list("notPrincipals"),
    requestPrincipals: list("requestPrincipals"),
    notRequestPrincipals: list("notRequestPrincipals"),
    namespaces: list("namespaces"),
    notNamespaces: list("notNamespaces"),
    serviceAccounts: list("serviceAccounts", serviceAccount),
    notServiceAccounts: list("notServiceAccounts", serviceAccount),
    trustDomains: list("trustDomains", trustDomain),
    notTrustDomains: list("notTrustDomains", trustDomain),
    ipBlocks: list("ipBlocks", ipBlock),
    notIpBlocks: list("notIpBlocks", ipBlock),
    remoteIpBlocks: list("remoteIpBlocks", ipBlock),
    notRemoteIpBlocks: list("notRemoteIpBlocks", ipBlock),
  };
  checkFields(source, index);
  if (isCustom) {
    for (const name of notForCustom) {
      if (source.count(name) === 0) continue;
      source.report(`is not valid: From.${listName(name)} is currently not supported with CUSTOM action`, name);
    }
  }
  if (Object.keys(fields).every((name) => source.count(name) === 0)) {
    source.report(`is not valid: \`from.source\` must not be empty, found at rule ${index}`);
  }
  refuseUnknownFields(source);
  return { ...fields, position: position(source.offset) };
}

function checkFields(source: FieldReader, index: number): void {
  const accounts = ["serviceAccounts", "notServiceAccounts"].filter((name) => source.holds(name));
  for (const name of accounts) {
    if (source.count(name) <= maxServiceAccounts) continue;
    source.report(`is not valid: may not have more than ${maxServiceAccounts} values`, name);
  }
  const others = ["principals", "notPrincipals", "namespaces", "notNamespaces"].filter((name) => source.holds(name));
  if (accounts.length > 0 && others.length > 0) {
    const why = `cannot set serviceAccounts with namespaces or principals, found at rule ${index}`;
    source.report(`is not valid: ${why}`, accounts[0]);
  }
}
