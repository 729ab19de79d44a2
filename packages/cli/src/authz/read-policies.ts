import { type DocumentSet, readDocuments } from "@signet/authorizer";

/** Where policies are, as all commands of the group are told it. */
export type PoliciesLocation = { readonly policies: string | undefined; readonly namespace: string };

/** Reads the documents of a command line. Throws an error of a line for each problem where there are none to go by. */
export async function readPolicies({ policies, namespace }: PoliciesLocation): Promise<DocumentSet> {
  if (policies === undefined) throw new Error("--policies is missing: the file or directory of documents");
  const set = await readDocuments(policies, { namespace });
  if (set.documents.length + set.refused.length > 0) return set;
  // A path with a typo must not be taken for a mesh without policies.
  throw new Error(`there is no document of security.istio.io in ${policies}`);
}
