import { parseSpiffeId } from "@signet/spiffe";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCertificate } from "./certificate.ts";
import { createCsr } from "./create-csr.ts";
import { parseCsr, verifyCsr } from "./csr.ts";
import { X509Error } from "./errors.ts";
import type { KeyType } from "./key-pair.ts";
import { signatureProblem } from "./path-problems.ts";
import { encodePem, splitPem } from "./pem.ts";
import { testKey, testLeaf, testRoot } from "./testing.ts";
import { parseTrustBundle } from "./trust-bundle.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const keyTypes: readonly KeyType[] = ["P-256", "RSA-2048", "Ed25519"];
const csrPem = (der: Uint8Array): string => encodePem("CERTIFICATE REQUEST", der);

/** The one way in which parsing may fail. */
function x509Error<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(X509Error);
    return undefined;
  }
}

function* flips(der: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < der.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = der.slice();
      flipped[at] = (der[at] ?? 0) ^ (1 << bit);
      yield flipped;
    }
  }
}

describe.each(keyTypes)("a CSR with a %s key", async (type) => {
  const [block] = splitPem(createCsr({ key: await testKey(type, "mutations"), spiffeId }));
  const der = block?.der ?? new Uint8Array();

  it("property: cut short at any byte, it is malformed", () => {
    for (let length = 0; length < der.length; length++) {
      expect(() => parseCsr(csrPem(der.subarray(0, length)))).toThrow(
        expect.objectContaining({ code: "csr-malformed" }),
      );
    }
  });

  it("property: with any one bit flipped, it does not parse or does not verify", () => {
    let parsed = 0;
    for (const flipped of flips(der)) {
      const csr = x509Error(() => parseCsr(csrPem(flipped)));
      if (csr !== undefined) {
        parsed++;
        expect(verifyCsr(csr)).toBe(false);
      }
    }
    expect(parsed).toBeGreaterThan(0);
  });

  it("property: with any one byte too many, it is malformed", () => {
    expect(() => parseCsr(csrPem(Uint8Array.of(...der, 0)))).toThrow(
      expect.objectContaining({ code: "csr-malformed" }),
    );
  });
});

describe.each(keyTypes)("a certificate with a %s key, its issuer's too", async (type) => {
  const root = await testRoot({ type });
  const {
    chain: [leaf],
  } = await testLeaf(root, { type });

  it("property: cut short at any byte, it is malformed", () => {
    for (let length = 0; length < leaf.der.length; length++) {
      expect(() => parseCertificate(leaf.der.subarray(0, length))).toThrow(
        expect.objectContaining({ code: "certificate-malformed" }),
      );
    }
  });

  it("property: with any one bit flipped, it does not parse or its issuer did not sign it", () => {
    expect(signatureProblem(leaf, root.certificate)).toBeUndefined();
    let parsed = 0;
    for (const flipped of flips(leaf.der)) {
      const certificate = x509Error(() => parseCertificate(flipped));
      if (certificate !== undefined) {
        parsed++;
        expect(signatureProblem(certificate, root.certificate)?.code).toMatch(/^(signature-invalid|algorithm-)/);
      }
    }
    expect(parsed).toBeGreaterThan(0);
  });
});

describe("bytes from anywhere", () => {
  it("property: parsing them fails with an X509Error or not at all", async () => {
    const { certificate } = await testRoot();
    const edited = fc
      .array(fc.tuple(fc.nat(certificate.der.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
      .map((edits) => {
        const der = certificate.der.slice();
        for (const [at, byte] of edits) {
          der[at] = byte;
        }
        return der;
      });
    fc.assert(
      fc.property(fc.oneof(edited, fc.uint8Array({ maxLength: 200 })), (der) => {
        const parsed = x509Error(() => parseCertificate(der));
        x509Error(() => parsed?.publicKey);
        x509Error(() => parseCsr(csrPem(der)));
        x509Error(() => parseTrustBundle(encodePem("CERTIFICATE", der)));
      }),
      { numRuns: 3000 },
    );
  });

  it("property: so does any text", () => {
    const piece = fc.constantFrom(
      "-----BEGIN ",
      "-----END ",
      "-----",
      "CERTIFICATE",
      "CERTIFICATE REQUEST",
      "\n",
      "MAA=",
      "=",
      " ",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join("")),
        ),
        (text) => {
          x509Error(() => parseCsr(text));
          x509Error(() => parseTrustBundle(text));
        },
      ),
      { numRuns: 3000 },
    );
  });
});
