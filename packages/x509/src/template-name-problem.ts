import type { Certificate } from "./certificate.ts";
import { constrainedNames } from "./constrained-names.ts";
import { encodeDer } from "./der/der-writer.ts";
import { commonNameOnly, emptyName } from "./distinguished-name.ts";
import { nameProblem } from "./name-constraint-match.ts";
import type { SvidTemplate } from "./svid-template.ts";

/**
 * Returns why the name constraints of `issuers` do not allow a name of the template, or undefined (RFC 5280 section
 * 4.2.1.10). `issuers` are the certificates above the leaf, the root included; those without constraints cost nothing.
 * @example
 * ```ts
 * import { type Certificate, type SvidTemplate, templateNameProblem } from "@signet/x509";
 * export function mayBeSigned(template: SvidTemplate, issuers: readonly Certificate[]): boolean {
 *   return templateNameProblem(template, issuers) === undefined;
 * }
 * ```
 */
export function templateNameProblem(
  { subjectAltNames, commonName }: Pick<SvidTemplate, "subjectAltNames" | "commonName">,
  issuers: readonly Certificate[],
): string | undefined {
  for (const { nameConstraints } of issuers) {
    if (nameConstraints === undefined) {
      continue;
    }
    const subject = encodeDer(commonName === undefined ? emptyName() : commonNameOnly(commonName));
    const found = nameProblem(constrainedNames({ subject, subjectAltNames }), nameConstraints);
    if (found !== undefined) {
      return `a certificate above the leaf ${found.detail}`;
    }
  }
  return undefined;
}
