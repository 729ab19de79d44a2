import { readFile } from "node:fs/promises";

/** The sidecars there are bootstraps for, in deploy/envoy. */
export type SidecarName = "frontend" | "backend";

const templates = new URL("../../../../deploy/envoy/", import.meta.url);

/** The bootstrap of a sidecar with `values` in place of its placeholders. */
export async function readBootstrap(
  name: SidecarName,
  values: Readonly<Record<string, string | number>>,
): Promise<string> {
  return fillPlaceholders(await readFile(new URL(`${name}.yaml`, templates), "utf8"), values);
}

/**
 * Replaces every `${NAME}` of a YAML text outside comments.
 *
 * Texts are escaped for the double quotes that the template puts around them.
 * @throws Error on a placeholder without a value and on a value without a placeholder
 */
export function fillPlaceholders(template: string, values: Readonly<Record<string, string | number>>): string {
  const used = new Set<string>();
  const filled = template.replaceAll(/^ *#.*$|\$\{([A-Z_]+)\}/gm, (match, name: string | undefined) => {
    if (name === undefined) {
      return match;
    }
    const value = values[name];
    if (value === undefined) {
      throw new Error(`no value for the placeholder ${name}`);
    }
    used.add(name);
    return JSON.stringify(String(value)).slice(1, -1);
  });
  const unused = Object.keys(values).filter((name) => !used.has(name));
  if (unused.length > 0) {
    throw new Error(`no placeholder for ${unused.join(", ")}`);
  }
  return filled;
}
