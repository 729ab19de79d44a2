import { toOctets } from "../match/octets.ts";
import type { CompileContext } from "./attribute.ts";
import { type AttributeEdit, connectionEdit, fillStars } from "./attribute-edit.ts";

/** The parts of a SPIFFE ID that a policy speaks of. */
type Parts = { readonly trustDomain?: string; readonly namespace?: string; readonly serviceAccount?: string };

const filler = "x";
/** Of so many values it is enough to try the first. */
const maxValues = 8;

/** Absence first: it is what most who have no SPIFFE ID have, and a negation takes it. */
const unlike: readonly unknown[] = [
  undefined,
  "spiffe://cluster.local/ns/default/sa/default",
  "spiffe://signet-other/ns/signet-other/sa/signet-other",
];

/** Values of `principals` are whole SPIFFE IDs but for their stars. */
export const principalEdit: AttributeEdit = connectionEdit("peerPrincipal", {
  like: (values) =>
    values.map(toOctets).flatMap((value) => {
      const filled = fillStars(value.startsWith("*/") ? `cluster.local${value.slice(1)}` : value, filler);
      return [`spiffe://${filled}`, `spiffe://${filled}x`];
    }),
  unlike,
});

export const namespaceEdit: AttributeEdit = partEdit((value) => ({ namespace: value.replaceAll("*", filler) }));

export const serviceAccountEdit: AttributeEdit = partEdit((value, { namespace }) => {
  const slash = value.indexOf("/");
  return {
    namespace: slash < 0 ? namespace : value.slice(0, slash),
    serviceAccount: value.slice(slash + 1),
  };
});

export const trustDomainEdit: AttributeEdit = partEdit((value) => ({ trustDomain: value.replaceAll("*", filler) }));

function partEdit(partsOf: (value: string, context: CompileContext) => Parts): AttributeEdit {
  return connectionEdit("peerPrincipal", {
    like: (values, context) => values.map((value) => idOf(partsOf(toOctets(value), context), context)),
    unlike,
  });
}

function idOf({ trustDomain, namespace, serviceAccount }: Parts, context: CompileContext): string {
  const local = trustDomain ?? context.bundle[0] ?? "cluster.local";
  return `spiffe://${local}/ns/${namespace ?? "default"}/sa/${serviceAccount ?? "default"}`;
}

/**
 * Returns SPIFFE IDs with parts taken from several others, so that one may fit conditions that each of them fits one of.
 */
export function mixPrincipals(principals: readonly unknown[]): readonly string[] {
  const ids = principals.filter((principal) => typeof principal === "string").slice(0, maxValues);
  const parts = ids
    .map((id) => /^spiffe:\/\/([^/]*)\/ns\/([^/]*)\/sa\/([^/]*)$/.exec(id))
    .filter((found) => found !== null);
  const column = (index: number): readonly string[] => [...new Set(parts.map((found) => found[index] ?? ""))];
  return column(1).flatMap((trustDomain) =>
    column(2).flatMap((namespace) =>
      column(3).map((serviceAccount) => `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`),
    ),
  );
}
