import {
  type Certificate,
  describeName,
  parseRevocationLists,
  type RevocationList,
  verifyRevocationList,
} from "@signet/x509";
import { CaError } from "../errors.ts";

/** The revocation lists of a CA, found to be those of every certificate above its leaves. */
export type CaRevocation = {
  /** `ca-crl.pem` verbatim. */
  readonly pem: string;
  readonly lists: readonly RevocationList[];
  /** The lists of each certificate above the leaves; one of them at least. */
  readonly byIssuer: readonly (readonly RevocationList[])[];
  /** Whether each other root of the bundle has a list of its own, too. */
  readonly coversAllRoots: boolean;
};

/** Whose lists they have to be. */
export type RevocationIssuers = {
  /** The signing certificate and all above it, the root included. */
  readonly aboveLeaves: readonly Certificate[];
  readonly roots: readonly Certificate[];
};

/**
 * Returns the revocation lists of `ca-crl.pem`.
 *
 * Envoy, once it has a list of one CA of a chain, refuses the chain unless it has one of every CA in it: so each
 * certificate above the leaves must have signed one. Lists of others are left in; dates are for `revocationProblem`.
 * @throws CaError `ca-material-invalid`; X509Error for a text that is not made of revocation lists
 */
export function openRevocation(pem: string, { aboveLeaves, roots }: RevocationIssuers): CaRevocation {
  // It goes out word for word, to every workload.
  if (/-----BEGIN [^\n]*PRIVATE KEY/.test(pem))
    throw new CaError("ca-material-invalid", "ca-crl.pem holds a private key");
  const lists = parseRevocationLists(pem);
  const byIssuer = aboveLeaves.map((issuer) => listsOf(issuer, lists));
  const without = aboveLeaves.find((_, index) => byIssuer[index]?.length === 0);
  if (without !== undefined) {
    const name = describeName(without.subject).slice(0, maxNameCharacters);
    throw new CaError("ca-material-invalid", `ca-crl.pem holds no revocation list that ${name} has signed`);
  }
  return { pem, lists, byIssuer, coversAllRoots: roots.every((root) => listsOf(root, lists).length > 0) };
}

/** Returns what is wrong with the lists at the instant `at`, in one of a fixed set of phrases, or undefined. */
export function revocationProblem({ byIssuer, coversAllRoots }: CaRevocation, at: Date): string | undefined {
  if (!byIssuer.every((lists) => lists.some((list) => isCurrent(list, at)))) {
    return "the CA's revocation lists are out of date";
  }
  return coversAllRoots ? undefined : "the CA's revocation lists do not cover every root";
}

/** Whether both hold the same lists, whatever their order, comments and repetitions. */
export function sameRevocation(a: CaRevocation | undefined, b: CaRevocation | undefined): boolean {
  const [left, right] = [listsAsText(a), listsAsText(b)];
  return left.size === right.size && left.isSubsetOf(right);
}

/** Of a name, which whoever made the certificate chose, in a message. */
const maxNameCharacters = 200;

function listsOf(issuer: Certificate, lists: readonly RevocationList[]): readonly RevocationList[] {
  return lists.filter((list) => verifyRevocationList(list, issuer).kind === "verified");
}

function isCurrent({ thisUpdate, nextUpdate }: RevocationList, at: Date): boolean {
  return thisUpdate <= at && (nextUpdate === undefined || at <= nextUpdate);
}

function listsAsText(revocation: CaRevocation | undefined): Set<string> {
  return new Set(revocation?.lists.map(({ der }) => der.toHex()));
}
