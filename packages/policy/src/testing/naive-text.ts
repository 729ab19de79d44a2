import { isIP } from "node:net";

/** What `.` and `[^/]` cover: octets, whether they are UTF-8 or not. */
const dot = "[^\\n]";
const notSlash = "[^\\/]";

/**
 * Returns a regular expression over octets, matched in full, where `.` and `[^/]` mean what they mean to Envoy and `(.|\n)`
 * means any octet. For tests alone: it takes as long as JavaScript's regular expressions take.
 */
export function octetsRegExp(pattern: string, flags: string): RegExp {
  const translated = pattern
    .replaceAll("(.|\\n)", "[^]")
    .replaceAll("[^/]", notSlash)
    .replace(/\\.|\./gs, (token) => (token === "." ? dot : token));
  return new RegExp(`^(?:${translated})$`, flags);
}

/** A value of a policy, taken literally, as octets. */
export function quote(text: string): string {
  return octets(text).replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

export function octets(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** A value with a star at its start or its end; a lone star means `loneStar`. */
export function starRegExp(value: string, loneStar: string): string {
  if (value === "*") return loneStar;
  if (value.startsWith("*")) return `(.|\\n)*${quote(value.slice(1))}`;
  if (value.endsWith("*")) return `${quote(value.slice(0, -1))}(.|\\n)*`;
  return quote(value);
}

const segment = "[A-Za-z0-9\\-\\._~%!$&'()*+,;:@=]";

/** A path template, or undefined where Envoy takes none. */
export function templateRegExp(value: string): string | undefined {
  const parts = value.split("/");
  const literal = new RegExp(`^${segment.replace("*", "")}+$`);
  const inner = parts.slice(1, -1);
  const last = parts.at(-1) ?? "";
  const isPart = (part: string): boolean => part === "{*}" || part === "{**}" || literal.test(part);
  if (parts[0] !== "" || parts.length < 2 || !inner.every(isPart) || !(last === "" || isPart(last))) return undefined;
  const rest = parts.indexOf("{**}");
  if (rest >= 0 && parts.slice(rest + 1).some((part) => part.startsWith("{"))) return undefined;
  return parts
    .map((part) => (part === "{*}" ? `${segment}+` : part === "{**}" ? `(?:${segment}|/)*` : quote(part)))
    .join("/");
}

/** 4, 6, or 0 for what is no address; without a zone. */
export function isIp(text: string): 0 | 4 | 6 {
  const family = isIP(text);
  return text.includes("%") ? 0 : family === 4 ? 4 : family === 6 ? 6 : 0;
}
