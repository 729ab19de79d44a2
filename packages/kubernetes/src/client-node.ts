/** YAML as a value. The library is loaded when it is first needed: it takes longer than a whole start of ours. */
export async function parseYaml(text: string): Promise<unknown> {
  const { loadYaml } = await import("@kubernetes/client-node");
  return loadYaml(text);
}
