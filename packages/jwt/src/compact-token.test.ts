import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBase64Url, maxTokenBytes, parseCompactToken } from "./compact-token.ts";

function part(text: string | Buffer): string {
  return Buffer.from(text).toString("base64url");
}

const header = part('{"alg":"ES256"}');
const claims = part('{"sub":"alice"}');

function codeOf(token: string): string {
  const parsed = parseCompactToken(token);
  return parsed.kind === "rejected" ? parsed.code : parsed.kind;
}

describe("parseCompactToken", () => {
  it.each([
    ["", "token-malformed"],
    [".", "token-malformed"],
    ["..", "token-malformed"],
    [`${header}.${claims}`, "token-malformed"],
    [`${header}.${claims}.c2ln.`, "token-malformed"],
    [`${header}.${claims}.c2ln.c2ln.c2ln`, "token-malformed"],
    [`${header}=.${claims}.c2ln`, "token-malformed"],
    [` ${header}.${claims}.c2ln`, "token-malformed"],
    [`${header}.${claims}.c2ln\n`, "token-malformed"],
    [`${header}.${claims}.c2l`, "token-malformed"],
    [`${header}.${claims}.c2lu+/`, "token-malformed"],
    [`${header}.${claims}.c`, "token-malformed"],
    [`${header}.${claims}.\u0163\u0163\u0163\u0163`, "token-malformed"],
    [`.${claims}.c2ln`, "token-malformed"],
    [`${header}..c2ln`, "token-malformed"],
    [`${part("[]")}.${claims}.c2ln`, "token-malformed"],
    [`${part("null")}.${claims}.c2ln`, "token-malformed"],
    [`${header}.${part('"alice"')}.c2ln`, "token-malformed"],
    [`${header}.${part('{"sub":"a","sub":"b"}')}.c2ln`, "token-malformed"],
    [`${part('{"alg":"ES256","alg":"none"}')}.${claims}.c2ln`, "token-malformed"],
    [`${header}.${part(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))}.c2ln`, "token-malformed"],
    [`${header}.${part(`{"a":${"[".repeat(32)}${"]".repeat(32)}}`)}.c2ln`, "token-malformed"],
    [`${header}.${claims}.c2ln`, "token"],
    [`${header}.${claims}.`, "token"],
  ])("reads %j as %s", (token, code) => {
    expect(codeOf(token)).toBe(code);
  });

  it("refuses more than 16 KiB before it looks inside", () => {
    expect(codeOf("a".repeat(maxTokenBytes + 1))).toBe("token-too-large");
    expect(codeOf("a".repeat(maxTokenBytes))).toBe("token-malformed");
  });

  it("yields what is in the token", () => {
    const parsed = parseCompactToken(`${header}.${claims}.c2ln`);
    expect(parsed).toEqual({
      kind: "token",
      header: { alg: "ES256" },
      claims: { sub: "alice" },
      signingInput: Buffer.from(`${header}.${claims}`),
      signature: Buffer.from("sig"),
    });
  });

  it("never shows the token in a message", () => {
    const secret = part("a very secret text");
    for (const token of [
      secret,
      `${secret}.${secret}.${secret}`,
      `${header}.${secret}.c2ln`,
      `${header}.${claims}.${secret}=`,
    ]) {
      expect(JSON.stringify(parseCompactToken(token))).not.toContain(secret);
    }
  });

  it("never throws, whatever the text", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(fc.base64String(), { maxLength: 4 }).map((p) => p.join(".")),
    );
    fc.assert(
      fc.property(text, (token) => {
        expect(["token", "rejected"]).toContain(parseCompactToken(token).kind);
      }),
    );
  });
});

describe("decodeBase64Url", () => {
  it("reads every text that Node writes, and no other text as the same octets", () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 1 }),
        (octets, position, character) => {
          const text = Buffer.from(octets).toString("base64url");
          expect(decodeBase64Url(text)).toEqual(Buffer.from(octets));
          const at = text === "" ? 0 : position % text.length;
          const changed = text.slice(0, at) + character + text.slice(at + 1);
          if (changed !== text) expect(decodeBase64Url(changed)).not.toEqual(Buffer.from(octets));
        },
      ),
    );
  });
});
