import { anyValue, printable, type ValueCheck } from "./rule-values.ts";

/** What stands between the slashes of a template: characters of RFC 3986 section 3.3 but for the star. */
const literal = /^[A-Za-z0-9\-._~%!$&'()+,;:@=]+$/;

/**
 * A path: exact, with a star at an end, or a template with `{*}` for a segment and one `{**}` for any number of them.
 *
 * Stricter than Istio about templates without a slash in front, or with two in a row: Envoy refuses the whole listener.
 */
export const pathValue: ValueCheck = (name) => (value) => {
  anyValue(name)(value);
  const found = `invalid or unsupported path ${printable(value)}, found in ${name}`;
  const isTemplate = value.includes("{*}") || value.includes("{**}");
  let sawAny = false;
  for (const segment of value.replace(/^\/+/, "").replace(/\/$/, "").split("/")) {
    if (segment === "{*}" || segment === "{**}") {
      if (sawAny) throw new Error(`${found}. {**} is not the last operator`);
      sawAny = segment === "{**}";
    } else if (/[{}]/.test(segment)) {
      throw new Error(`${found}. Contains '{' or '}' beyond a supported path template`);
    } else if (isTemplate && !literal.test(segment)) {
      throw new Error(`${found}. Contains segment ${printable(segment)} with invalid string literal`);
    }
  }
  if (isTemplate && (!value.startsWith("/") || value.startsWith("//"))) {
    throw new Error(`${found}. A path template begins with one slash`);
  }
  return value;
};
