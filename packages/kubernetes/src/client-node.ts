/**
 * YAML as a value.
 *
 * The library is loaded when it is first needed, and of it only this module: the whole takes half a second and 80 MB. Its own
 * reading of kubeconfigs is not used, since that follows paths found in the text, believes servers unverified when told to, and
 * runs programs without end.
 */
export async function parseYaml(text: string): Promise<unknown> {
  const { loadYaml } = await import("@kubernetes/client-node/dist/yaml.js");
  return loadYaml(text);
}
