import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** A cookie of this gateway: how it is called, and how it is set and taken back. */
export type Cookie = {
  readonly name: string;
  /** The value of `set-cookie`. */
  set(value: string, maxAgeSeconds: number): string;
  clear(): string;
  /** Its value in a `cookie` header, or undefined. */
  read(header: string | undefined): string | undefined;
};

/**
 * Returns a cookie for this origin alone: no script reads it, and no other site's form or script sends it with a request.
 *
 * On https it is `Secure` and has the prefix `__Host-`, so that no other host of the domain can set it either. `Lax` and not
 * `Strict`, since the provider's redirect back to us is a navigation from another site.
 */
export function createCookie(name: string, { secure }: { readonly secure: boolean }): Cookie {
  const full = secure ? `__Host-${name}` : name;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
  return {
    name: full,
    set: (value, maxAgeSeconds) => `${full}=${value}; Max-Age=${maxAgeSeconds}; ${attributes}`,
    clear: () => `${full}=; Max-Age=0; ${attributes}`,
    read(header = "") {
      const found = header
        .split(";")
        .map((pair) => pair.trim())
        .filter((pair) => pair.startsWith(`${full}=`));
      // Two of one name mean that somebody else has set one: neither is believed.
      return found.length === 1 ? found[0]?.slice(full.length + 1) : undefined;
    },
  };
}

/** A `cookie` header without these cookies; undefined when nothing is left. */
export function withoutCookies(header: string, names: readonly string[]): string | undefined {
  const pairs = header.split(";").map((pair) => pair.trim());
  const kept = pairs.filter((pair) => pair !== "" && !names.includes(pair.split("=", 1)[0] ?? ""));
  return kept.length === 0 ? undefined : kept.join("; ");
}

/** Text that only this process can make and read: AES-256-GCM under a key that lives as long as the process. */
export type Seal = { seal(text: string): string; open(sealed: string): string | undefined };

const ivBytes = 12;
const tagBytes = 16;

/** Returns a seal with a new key. */
export function createSeal(): Seal {
  const key = randomBytes(32);
  return {
    seal(text) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv("aes-256-gcm", key, iv);
      const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64url");
    },
    open(sealed) {
      const octets = Buffer.from(sealed, "base64url");
      if (octets.length < ivBytes + tagBytes) return undefined;
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, octets.subarray(0, ivBytes), { authTagLength: tagBytes });
        decipher.setAuthTag(octets.subarray(ivBytes, ivBytes + tagBytes));
        return decipher.update(octets.subarray(ivBytes + tagBytes), undefined, "utf8") + decipher.final("utf8");
      } catch {
        return undefined;
      }
    },
  };
}
