/** `<iss>/<sub>` of a verified token, or undefined when one of the two is missing or empty: then it is nobody in particular. */
export function requestPrincipal(issuer: string, subject: string): string | undefined {
  return issuer === "" || subject === "" ? undefined : `${issuer}/${subject}`;
}
