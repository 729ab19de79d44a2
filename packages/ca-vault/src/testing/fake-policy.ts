/** What an ACL policy of Vault grants: one entry for each path. */
export type PolicyRule = {
  readonly path: string;
  readonly capabilities: readonly string[];
  /** Undefined where any parameter may be sent; an empty list stands for any value. */
  readonly allowedParameters: ReadonlyMap<string, readonly unknown[]> | undefined;
};

/** Reads the part of HCL that ACL policies are written in; throws on anything else. */
export function parsePolicy(text: string): readonly PolicyRule[] {
  const words = text.replaceAll(/#[^\n]*/g, "").match(/"[^"]*"|[A-Za-z_]+|[{}[\]=,]/g) ?? [];
  let at = 0;
  const next = (): string => words[at++] ?? "";
  const expect = (word: string): void => {
    const found = next();
    if (found !== word) throw new Error(`policy has ${found || "an end"} where ${word} should be`);
  };
  const unquote = (word: string): string => word.replaceAll('"', "");

  function value(): unknown {
    const word = next();
    if (word === "true" || word === "false") return word === "true";
    if (word === "{") return block();
    if (word !== "[") return unquote(word);
    const list: unknown[] = [];
    while (words[at] !== "]") {
      list.push(value());
      if (words[at] === ",") at += 1;
    }
    expect("]");
    return list;
  }

  function block(): ReadonlyMap<string, unknown> {
    const entries = new Map<string, unknown>();
    while (words[at] !== "}") {
      const key = unquote(next());
      expect("=");
      entries.set(key, value());
      if (words[at] === ",") at += 1;
    }
    expect("}");
    return entries;
  }

  const rules: PolicyRule[] = [];
  while (at < words.length) {
    expect("path");
    const path = unquote(next());
    expect("{");
    const entries = block();
    rules.push({
      path,
      capabilities: listOf(entries.get("capabilities")).map(String),
      allowedParameters: parametersOf(entries.get("allowed_parameters")),
    });
  }
  return rules;
}

/** Whether the rules allow a request; as in Vault, what nothing allows is denied. */
export function allows(
  rules: readonly PolicyRule[],
  request: { readonly path: string; readonly capability: string; readonly body: Readonly<Record<string, unknown>> },
): boolean {
  return rules.some(({ path, capabilities, allowedParameters }) => {
    if (!matches(path, request.path) || !capabilities.includes(request.capability)) return false;
    if (allowedParameters === undefined || request.capability !== "update") return true;
    return Object.entries(request.body).every(([name, sent]) => {
      const values = allowedParameters.get(name);
      return values !== undefined && (values.length === 0 || values.includes(sent));
    });
  });
}

function matches(pattern: string, path: string): boolean {
  const open = pattern.endsWith("*");
  const wanted = (open ? pattern.slice(0, -1) : pattern).split("/");
  const given = path.split("/");
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((part, index) => {
    const segment = given[index] ?? "";
    if (open && index === wanted.length - 1) return segment.startsWith(part);
    return part === "+" ? segment !== "" : part === segment;
  });
}

function parametersOf(value: unknown): PolicyRule["allowedParameters"] {
  if (!(value instanceof Map)) return undefined;
  return new Map([...value].map(([name, values]) => [String(name), listOf(values)]));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
