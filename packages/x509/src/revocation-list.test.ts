import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { derNode, encodeDer, octetString, sequence } from "./der/der-writer.ts";
import { objectIdentifier } from "./der/object-identifier.ts";
import { contextPrimitive, tag } from "./der/tag.ts";
import { X509Error } from "./errors.ts";
import { extension } from "./extension.ts";
import { encodePem, parsePem } from "./pem.ts";
import {
  maxRevocationListBytes,
  maxRevocationLists,
  parseRevocationList,
  parseRevocationLists,
  type RevocationList,
} from "./revocation-list.ts";
import { type TestCa, type TestRevocationListOptions, testKey, testRevocationList, testRoot } from "./testing.ts";
import { verifyRevocationList } from "./verify-revocation-list.ts";

const malformed = expect.objectContaining({ name: "X509Error", code: "revocation-list-malformed" });
const issuer = await testRoot({ signsRevocationLists: true });
const critical = { critical: true };

const parseOne = (options: TestRevocationListOptions = {}, by: TestCa = issuer): RevocationList => {
  const [list] = parseRevocationLists(testRevocationList(by, options));
  if (list === undefined) throw new Error("there is one");
  return list;
};
const derOf = (options: TestRevocationListOptions = {}): Uint8Array => {
  const [der] = parsePem(testRevocationList(issuer, options), "X509 CRL");
  return der ?? new Uint8Array();
};
const oddExtension = (dotted: string, options = critical) =>
  extension(objectIdentifier(dotted), options, Uint8Array.of(tag.null, 0));

describe("parseRevocationList", () => {
  it("reads what RFC 5280 section 5.1 has in a list", () => {
    const list = parseOne({
      thisUpdate: new Date("2026-01-02T03:04:05Z"),
      nextUpdate: new Date("2026-02-03T04:05:06Z"),
      revoked: [1, 0x80, 0xffffffff],
      entryExtensions: [oddExtension("2.5.29.21", { critical: false })],
      extensions: [oddExtension("2.5.29.20", { critical: false })],
    });
    expect(list).toMatchObject({
      issuer: issuer.certificate.subject,
      thisUpdate: new Date("2026-01-02T03:04:05Z"),
      nextUpdate: new Date("2026-02-03T04:05:06Z"),
      revokedCount: 3,
      signatureAlgorithm: "ecdsa-sha256",
      unknownCriticalExtensions: [],
    });
  });

  it.each<[string, TestRevocationListOptions, Partial<RevocationList>]>([
    ["no entry", {}, { revokedCount: 0 }],
    ["no next update", { nextUpdate: null }, { nextUpdate: undefined }],
    ["version 1", { version: null, revoked: [7] }, { revokedCount: 1 }],
    [
      "a critical scope, which is read by those who use the list",
      { extensions: [oddExtension("2.5.29.28")] },
      { unknownCriticalExtensions: [] },
    ],
    [
      "a delta, which is no list of its own",
      { extensions: [oddExtension("2.5.29.27")] },
      { unknownCriticalExtensions: ["2.5.29.27"] },
    ],
    [
      "an entry of another issuer",
      { revoked: [1, 2], entryExtensions: [oddExtension("2.5.29.29")] },
      { unknownCriticalExtensions: ["2.5.29.29"] },
    ],
  ])("reads a list with %s", (_, options, expected) => {
    expect(parseOne(options)).toMatchObject(expected);
  });

  it("reads a list of 50,000 entries", () => {
    const revoked = Array.from({ length: 50_000 }, (_, index) => index + 1);
    expect(parseOne({ revoked }).revokedCount).toBe(50_000);
  });

  it.each<[string, () => Uint8Array]>([
    ["nothing", () => new Uint8Array()],
    ["a certificate", () => issuer.certificate.der],
    ["version 3", () => derOf({ version: 2 })],
    ["version 1 that is written", () => derOf({ version: 0 })],
    ["bytes behind it", () => Uint8Array.of(...derOf(), 0)],
    [
      "an extension that comes twice",
      () => derOf({ extensions: [oddExtension("2.5.29.20"), oddExtension("2.5.29.20")] }),
    ],
    ["something in the place of extensions", () => encodeDer(sequence(derNode(contextPrimitive(0), [])))],
  ])("refuses %s", (_, make) => {
    expect(() => parseRevocationList(make())).toThrow(malformed);
  });

  it("refuses more bytes than the cap", () => {
    expect(() => parseRevocationList(new Uint8Array(maxRevocationListBytes + 1))).toThrow(/exceeds 3145728$/);
  });

  it("refuses another signature algorithm outside than inside", () => {
    const der = derOf();
    const ecdsaSha256 = Uint8Array.fromHex("06082a8648ce3d040302");
    const at = Buffer.from(der).lastIndexOf(ecdsaSha256);
    const changed = der.slice();
    changed[at + 9] = 3;
    expect(() => parseRevocationList(changed)).toThrow(malformed);
  });

  it("property: cut short or with a bit flipped, a list is refused or no longer the issuer's", () => {
    const der = derOf({ revoked: [1, 2], extensions: [oddExtension("2.5.29.20")] });
    let parsed = 0;
    for (let at = 0; at < der.length; at++) {
      expect(() => parseRevocationList(der.subarray(0, at))).toThrow(malformed);
      for (let bit = 0; bit < 8; bit++) {
        const flipped = der.slice();
        flipped[at] = (der[at] ?? 0) ^ (1 << bit);
        const list = listOrX509Error(flipped);
        if (list === undefined) continue;
        parsed++;
        expect(verifyRevocationList(list, issuer.certificate).kind).toBe("rejected");
      }
    }
    expect(parsed).toBeGreaterThan(0);
  });

  it("property: any bytes are a list or an X509Error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        listOrX509Error(bytes);
        listOrX509Error(encodeDer(sequence(bytes)));
        listOrX509Error(encodeDer(sequence(sequence(bytes), octetString(bytes))));
      }),
    );
  });
});

describe("parseRevocationLists", () => {
  it("reads every list, whatever stands between", () => {
    const text = `# old\r\n${testRevocationList(issuer)}\n\n# new\n${testRevocationList(issuer, { revoked: [1] })}`;
    expect(parseRevocationLists(text).map(({ revokedCount }) => revokedCount)).toEqual([0, 1]);
  });

  it.each<[string, () => string, string]>([
    ["no block", () => "# nothing\n", "pem-malformed"],
    ["a certificate among them", () => testRevocationList(issuer) + issuer.pem, "pem-malformed"],
    [
      "a key among them",
      () => testRevocationList(issuer) + encodePem("PRIVATE KEY", Uint8Array.of(0)),
      "pem-malformed",
    ],
    ["too many lists", () => testRevocationList(issuer).repeat(maxRevocationLists + 1), "revocation-list-malformed"],
  ])("refuses a text with %s", (_, make, code) => {
    expect(() => parseRevocationLists(make())).toThrow(expect.objectContaining({ code }));
  });
});

describe("verifyRevocationList", () => {
  it.each(["P-256", "P-384", "P-521", "RSA-2048", "Ed25519"] as const)(
    "accepts the issuer's with a %s key",
    async (type) => {
      const by = await testRoot({ type, signsRevocationLists: true });
      expect(verifyRevocationList(parseOne({}, by), by.certificate)).toEqual({ kind: "verified" });
    },
  );

  it("looks at no date", () => {
    const past = new Date("2021-01-01T00:00:00Z");
    const list = parseOne({ thisUpdate: past, nextUpdate: past });
    expect(verifyRevocationList(list, issuer.certificate).kind).toBe("verified");
  });

  it("refuses one of another name", async () => {
    const other = await testRoot({ trustDomain: "other.example", signsRevocationLists: true });
    expect(verifyRevocationList(parseOne({}, other), issuer.certificate)).toMatchObject({ code: "issuer-other" });
  });

  it("refuses one that another key signed, of the same kind or not", async () => {
    for (const type of ["P-256", "Ed25519"] as const) {
      const list = parseOne({ signer: await testKey(type) });
      expect(verifyRevocationList(list, issuer.certificate)).toMatchObject({ code: "signature-invalid" });
    }
  });

  it("refuses one of an issuer that may not sign revocation lists", async () => {
    const plain = await testRoot();
    expect(verifyRevocationList(parseOne({}, plain), plain.certificate)).toMatchObject({ code: "key-usage-missing" });
  });

  it("refuses one with a critical extension that is unknown", () => {
    const list = parseOne({ extensions: [oddExtension("2.5.29.27")] });
    expect(verifyRevocationList(list, issuer.certificate)).toMatchObject({ code: "critical-extension-unknown" });
  });

  it.each([
    ["weak", "algorithm-weak"],
    ["unknown", "algorithm-unsupported"],
  ] as const)("refuses a signature algorithm that is %s", (signatureAlgorithm, code) => {
    expect(verifyRevocationList({ ...parseOne(), signatureAlgorithm }, issuer.certificate)).toMatchObject({ code });
  });
});

function listOrX509Error(der: Uint8Array): RevocationList | undefined {
  try {
    return parseRevocationList(der);
  } catch (error) {
    expect(error).toBeInstanceOf(X509Error);
    return undefined;
  }
}
