const maxUriLength = 2_048;

/**
 * Returns `text` if it is a URL that a JWKS can be fetched from; throws an error with Istio's words otherwise. The words hold
 * nothing of the URL but its scheme: there may be a password in it.
 *
 * Stricter than Istio about what parsers read differently: no host, ports above 65535, backslashes, spaces, control
 * characters.
 */
export function readJwksUri(text: string): string {
  if (text === "") throw new Error("should be at least 1 chars long");
  if (text.length > maxUriLength) throw new Error(`may not be longer than ${maxUriLength}`);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]{0,31}):/.exec(text)?.[1]?.toLowerCase() ?? "";
  if (scheme !== "http" && scheme !== "https") {
    throw new Error(`URI scheme ${JSON.stringify(scheme)} is not supported: url must have scheme http:// or https://`);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0020\u007f\\]/.test(text)) throw new Error("parse error: invalid character in URL");
  // The authority of RFC 3986 section 3.2; a parser of browsers would take a host from the path.
  const authority = /^[^:]+:\/\/([^/?#]*)/.exec(text)?.[1] ?? "";
  const [, host = "", port = ""] = /^(?:[^@]*@)?(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority) ?? [];
  if (host === "") throw new Error("parse error: the URL has no host");
  if (!/^\d*$/.test(port) || Number(port) > 65_535) throw new Error("parse error: invalid port");
  if (!URL.canParse(text)) throw new Error("parse error: the URL is not valid");
  return text;
}
