/** What few lines can name by aliases may be endless. */
const maxAliases = 100;

/**
 * YAML as a value; JSON is YAML too. The library is loaded when it is first needed: in a cluster it never is.
 * @throws Error for a text that is not one document of YAML 1.2
 */
export async function parseYaml(text: string): Promise<unknown> {
  const { parse } = await import("yaml");
  return parse(text, { maxAliasCount: maxAliases, prettyErrors: false, logLevel: "error" });
}
