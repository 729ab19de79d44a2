import { isIP } from "node:net";
import { type AddressGuard, createAddressGuard, isLoopbackAddress } from "./address-guard.ts";
import { JwtError, quote } from "./errors.ts";

/** Which URLs keys may be fetched from. */
export type UrlRules = {
  /** What the URL is for, to begin a message with. */
  readonly what: string;
  /** Whether http is allowed to hosts other than 127.0.0.0/8, ::1 and localhost. */
  readonly allowHttp: boolean;
  /** Which addresses are refused; link-local and metadata ones unless given. */
  readonly guard?: AddressGuard;
};

const defaultGuard = createAddressGuard();

/**
 * Returns `text` as a URL that keys may be fetched from: https, or http to this machine; no user info; no address that
 * is link-local or serves cloud metadata, or that the rules refuse. Names are checked again once they are resolved.
 * @throws JwtError `url-refused`, `address-refused`
 */
export function checkUrl(text: string, rules: UrlRules): URL {
  const url = URL.parse(text);
  if (url === null) throw new JwtError("url-refused", `${rules.what} ${quote(text)} is not a URL`);
  if (url.username !== "" || url.password !== "") {
    throw new JwtError("url-refused", `${rules.what} for host ${quote(url.host)} carries user info`);
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new JwtError("url-refused", `${rules.what} ${quote(text)} is neither https nor http`);
  }
  if (url.protocol === "http:" && !rules.allowHttp && !isLoopbackHost(url)) {
    throw new JwtError("url-refused", `${rules.what} ${quote(text)} is not https, and its host is not this machine`);
  }
  const host = hostOf(url);
  const refusal = isIP(host) === 0 ? undefined : (rules.guard ?? defaultGuard)(host);
  if (refusal !== undefined) throw new JwtError("address-refused", `${rules.what} ${quote(text)} is ${refusal}`);
  return url;
}

/** The host of a URL as a name or an IP address without brackets. */
export function hostOf(url: URL): string {
  return url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
}

function isLoopbackHost(url: URL): boolean {
  const host = hostOf(url);
  return host === "localhost" || isLoopbackAddress(host);
}
