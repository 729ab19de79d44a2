import { seededRandom } from "@signet/runtime/testing";
import type { PresentedCredentials } from "../authenticator.ts";

/** The kinds of credentials. */
export type CredentialField = "bearerToken" | "clientCertificateChain" | "forwardedClientCert";

/** Credentials, and what is wrong with them. */
export type NamedCredentials = { readonly name: string; readonly presented: PresentedCredentials };

const fields: readonly CredentialField[] = ["bearerToken", "clientCertificateChain", "forwardedClientCert"];

/** The other kinds of credentials, good-looking ones among them, without the kind `own`. */
export function foreignCredentials(good: PresentedCredentials, own: CredentialField): readonly PresentedCredentials[] {
  const { peerAddress, transport } = good;
  const bare: PresentedCredentials = { peerAddress, transport };
  const others: PresentedCredentials = {
    ...bare,
    bearerToken: "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl",
    clientCertificateChain: [Uint8Array.of(0x30, 0)],
    forwardedClientCert: "URI=spiffe://cluster.local/ns/demo/sa/frontend",
    clientCertificateProblem: "CERT_HAS_EXPIRED",
    clusterId: "Kubernetes",
  };
  const alone = fields.filter((field) => field !== own).map((field) => ({ ...bare, [field]: others[field] }));
  const { [own]: _, ...rest } = others;
  return [bare, { ...bare, clusterId: "Kubernetes" }, { ...bare, clientCertificateProblem: "x" }, ...alone, rest];
}

/** Credentials of one kind that no honest peer shows. */
export function hostileCredentials(good: PresentedCredentials, own: CredentialField): readonly NamedCredentials[] {
  const { [own]: _, ...rest } = good;
  switch (own) {
    case "bearerToken":
      return hostileTokens.map(([name, bearerToken]) => ({ name, presented: { ...rest, bearerToken } }));
    case "clientCertificateChain":
      return hostileChains.map(([name, clientCertificateChain]) => ({
        name,
        presented: { ...rest, clientCertificateChain },
      }));
    case "forwardedClientCert":
      return hostileHeaders.map(([name, forwardedClientCert]) => ({
        name,
        presented: { ...rest, forwardedClientCert },
      }));
  }
}

const megabyte = 1 << 20;
const claims = base64url(
  '{"iss":"https://issuer.example","sub":"system:serviceaccount:demo:frontend","exp":4102444800}',
);

const hostileTokens: readonly (readonly [string, string])[] = [
  ["empty", ""],
  ["a space", " "],
  ["one segment", "a"],
  ["two empty segments", "."],
  ["three empty segments", ".."],
  ["three words", "a.b.c"],
  ["five segments, as an encrypted token has", "a.b.c.d.e"],
  ["ten thousand segments", ".".repeat(9999)],
  ["a megabyte in one segment", "a".repeat(megabyte)],
  ["a megabyte of claims", `eyJhbGciOiJSUzI1NiJ9.${"e".repeat(megabyte)}.e`],
  ["a NUL", "a\0.b.c"],
  ["a lone surrogate", "\ud800.\udfff.a"],
  ["letters beyond ASCII", "ä.ß.漢"],
  ["line breaks", "a.b.c\r\nauthorization: Bearer d.e.f"],
  ["a second scheme", "Bearer a.b.c"],
  ["no signature", `${base64url('{"alg":"none"}')}.${claims}.`],
  ["no signature, in other letters", `${base64url('{"alg":"nOnE","typ":"JWT"}')}.${claims}.AA`],
  ["a key of its own", `${base64url('{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}')}.${claims}.AA`],
  ["a header that is a list", `${base64url("[]")}.${claims}.AA`],
  ["a header with a prototype", `${base64url('{"__proto__":{"alg":"RS256"}}')}.${claims}.AA`],
  ["a header of many levels", `${base64url("[".repeat(20_000))}.${claims}.AA`],
  ["a key ID that is a path", `${base64url('{"alg":"RS256","kid":"../../etc/passwd"}')}.${claims}.AA`],
  ["a key ID of many letters", `${base64url(`{"alg":"RS256","kid":"${"k".repeat(9000)}"}`)}.${claims}.AA`],
];

const garbage = Uint8Array.from({ length: 512 }, (_, index) => (index * 37) & 0xff);

const hostileChains: readonly (readonly [string, readonly Uint8Array[]])[] = [
  ["no certificate", []],
  ["an empty certificate", [new Uint8Array(0)]],
  ["garbage", [garbage]],
  ["an empty sequence", [Uint8Array.of(0x30, 0)]],
  ["a sequence that says 4 GiB", [Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff)]],
  ["an indefinite length", [Uint8Array.of(0x30, 0x80, 0, 0)]],
  ["many levels", [Uint8Array.from({ length: 20_000 }, (_, index) => (index % 2 === 0 ? 0x30 : 0x7f))]],
  ["a megabyte", [new Uint8Array(megabyte)]],
  ["a thousand certificates", Array.from({ length: 1000 }, () => garbage)],
];

const hostileHeaders: readonly (readonly [string, string])[] = [
  ["empty", ""],
  ["separators only", ",;,;="],
  ["no key", "=spiffe://cluster.local/ns/demo/sa/frontend"],
  ["an open quote", 'By="spiffe://cluster.local/ns/demo/sa/frontend'],
  ["an escaped end", 'URI="spiffe://cluster.local/ns/demo/sa/frontend\\'],
  ["a DNS name and no URI", "Hash=00;DNS=victim.example"],
  ["a subject and no URI", 'Hash=00;Subject="CN=spiffe://cluster.local/ns/demo/sa/frontend"'],
  ["only who received it", "By=spiffe://cluster.local/ns/demo/sa/frontend"],
  ["two names", "URI=spiffe://cluster.local/ns/demo/sa/a;URI=spiffe://cluster.local/ns/demo/sa/b"],
  ["a name that is no SPIFFE ID", "URI=https://victim.example/"],
  ["a trust domain alone", "URI=spiffe://cluster.local"],
  ["a comma in a name", 'URI="spiffe://cluster.local/ns/demo/sa/a,spiffe://cluster.local/ns/demo/sa/b"'],
  ["a name with a query", "URI=spiffe://cluster.local/ns/demo/sa/a?sa=b"],
  ["a foreign trust domain", "URI=spiffe://victim.example/ns/demo/sa/frontend"],
  ["a NUL", "URI=spiffe://cluster.local/ns/demo/sa/a\0"],
  ["letters beyond ASCII", "URI=spiffe://cluster.local/ns/demo/sa/ä"],
  ["an empty last hop", "URI=spiffe://cluster.local/ns/demo/sa/frontend,"],
  ["a megabyte", `URI=${"a".repeat(megabyte)}`],
  ["a hundred thousand hops", ",".repeat(100_000)],
  ["a hundred thousand quotes", '"'.repeat(100_001)],
  ["a hundred thousand escapes", `URI="${"\\".repeat(100_001)}`],
];

/**
 * Credentials with one thing about them altered, so that whoever signed them did not sign this. A forwarded header is
 * signed by nobody, so there are none of those.
 */
export function alteredCredentials(
  good: PresentedCredentials,
  other: PresentedCredentials,
): readonly NamedCredentials[] {
  const { bearerToken, clientCertificateChain, ...rest } = good;
  const found: NamedCredentials[] = [];
  if (bearerToken !== undefined) {
    for (const [name, token] of alteredTokens(bearerToken, other.bearerToken ?? "")) {
      found.push({ name, presented: { ...rest, bearerToken: token } });
    }
  }
  if (clientCertificateChain !== undefined) {
    for (const [name, chain] of alteredChains(clientCertificateChain)) {
      found.push({ name, presented: { ...rest, clientCertificateChain: chain } });
    }
  }
  return found;
}

function alteredTokens(token: string, other: string): readonly (readonly [string, string])[] {
  const random = seededRandom(token.length);
  const [header = "", payload = "", signature = ""] = token.split(".");
  const [, otherPayload = "", otherSignature = ""] = other.split(".");
  const places = Array.from({ length: 24 }, () => Math.floor(random() * (token.length - 1)));
  return [
    ["without signature", `${header}.${payload}.`],
    ["without claims", `${header}..${signature}`],
    ["without header", `.${payload}.${signature}`],
    ["with another's claims", `${header}.${otherPayload}.${signature}`],
    ["with another's signature", `${header}.${payload}.${otherSignature}`],
    ["twice", `${token}.${token}`],
    ["with a space before", ` ${token}`],
    ["with a line break after", `${token}\n`],
    ["padded", `${token}==`],
    ...places.map((place) => [`cut after ${place} characters`, token.slice(0, place)] as const),
    ...places
      .filter((place) => isInside(token, place))
      .map((place) => {
        const changed = token[place] === "A" ? "B" : "A";
        return [
          `with another character at ${place}`,
          token.slice(0, place) + changed + token.slice(place + 1),
        ] as const;
      }),
  ];
}

/** Neither a dot nor the last character of a segment, whose lowest bits may mean nothing. */
function isInside(token: string, place: number): boolean {
  const next = token[place + 1];
  return token[place] !== "." && next !== "." && next !== undefined;
}

function alteredChains(chain: readonly Uint8Array[]): readonly (readonly [string, readonly Uint8Array[]])[] {
  const [leaf, ...above] = chain;
  if (leaf === undefined) return [];
  const random = seededRandom(leaf.length);
  const places = Array.from({ length: 48 }, () => Math.floor(random() * leaf.length));
  return [
    ["with bytes after", [Uint8Array.from([...leaf, 0]), ...above]],
    ["with nine more certificates", [leaf, ...above, ...Array.from({ length: 9 }, () => leaf)]],
    ["with garbage behind it", [leaf, ...above, garbage]],
    ...places.map((place) => [`cut after ${place} bytes`, [leaf.slice(0, place), ...above]] as const),
    ...places.map((place) => {
      const changed = leaf.map((byte, index) => (index === place ? byte ^ (1 << (place & 7)) : byte));
      return [`with another bit in byte ${place}`, [changed, ...above]] as const;
    }),
  ];
}

function base64url(text: string): string {
  return Buffer.from(text, "utf8").toString("base64url");
}
