import { inspect } from "node:util";
import { parseSpiffeId } from "@signet/spiffe";
import {
  certificatePem,
  createCsr,
  encodePem,
  generateKeyPair,
  parseCertificates,
  parseCsr,
  parsePrivateKey,
  parseRevocationLists,
  parseTrustBundle,
  privateKeyPem,
  splitPem,
  X509Error,
} from "@signet/x509";
import { testIntermediate, testRevocationList, testRoot } from "@signet/x509/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bounded, fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";
import { mutatedText } from "./support/mutate-text.ts";

const root = await testRoot();
const intermediate = await testIntermediate(root);
const key = await generateKeyPair("P-256");
const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const keys = [
  privateKeyPem(key, "traditional"),
  privateKeyPem(key, "pkcs8"),
  privateKeyPem(await generateKeyPair("Ed25519"), "pkcs8"),
  privateKeyPem(await generateKeyPair("RSA-2048"), "traditional"),
];
const samples = [
  root.pem,
  `# roots of the mesh\r\n${root.pem}\n\n${intermediate.pem}`,
  intermediate.chain.map(certificatePem).join(""),
  testRevocationList(root),
  createCsr({ key, spiffeId }),
];
const words = [
  ...["-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE REQUEST-----", "-----"],
  ...["-----BEGIN PRIVATE KEY-----\n", "-----BEGIN TRUSTED CERTIFICATE-----\n", "Proc-Type: 4,ENCRYPTED\n"],
  ...[
    "\r",
    "\n",
    "\r\n",
    "\0",
    "=",
    "==",
    "=====",
    " ",
    "\t",
    "\u2028",
    "\ufeff",
    "MIIB",
    "-----BEGIN ".repeat(500),
    "A".repeat(4_000),
  ],
];

const readers: readonly ((text: string) => unknown)[] = [
  splitPem,
  parseCertificates,
  parseTrustBundle,
  parseRevocationLists,
  parseCsr,
  parsePrivateKey,
];

/** What `read` throws; undefined when it throws nothing, and an X509Error is all it may throw. */
function errorOf(read: () => unknown): X509Error | undefined {
  try {
    bounded(read);
    return undefined;
  } catch (error) {
    if (error instanceof X509Error) return error;
    throw error;
  }
}

describe("PEM, whatever it is", () => {
  it("is read or refused by every reader", { timeout: fuzzTimeoutMs }, () => {
    let understood = 0;
    fc.assert(
      fc.property(mutatedText([...samples, ...keys], words), (text) => {
        for (const read of readers) if (errorOf(() => read(text)) === undefined) understood++;
        if (errorOf(() => splitPem(text)) !== undefined) return;
        // What was understood is understood the same when it is written cleanly.
        const blocks = splitPem(text);
        const clean = blocks.map(({ label, der }) => encodePem(label, der)).join("");
        expect(splitPem(clean).map(({ label, der }) => [label, der.toHex()])).toEqual(
          blocks.map(({ label, der }) => [label, der.toHex()]),
        );
      }),
      fuzzParameters(0.1),
    );
    expect(understood).toBeGreaterThan(0);
  });

  it("keeps a trust bundle's text to the letter, and takes no key into it unseen", { timeout: fuzzTimeoutMs }, () => {
    fc.assert(
      fc.property(mutatedText([samples[1] ?? "", root.pem + keys[1]], words), (text) => {
        if (errorOf(() => parseTrustBundle(text)) !== undefined) return;
        const { pem, authorities, skipped } = parseTrustBundle(text);
        expect(pem).toBe(text);
        expect(authorities.length + skipped.length).toBe(splitPem(text).length);
      }),
      fuzzParameters(0.025),
    );
  });

  it("shows nothing of a private key that cannot be read", { timeout: fuzzTimeoutMs }, () => {
    const secrets = keys.flatMap((pem) => pem.split("\n").filter((line) => line.length >= 32 && !line.startsWith("-")));
    fc.assert(
      fc.property(mutatedText(keys, words), (text) => {
        const error = errorOf(() => parsePrivateKey(text));
        if (error === undefined) return;
        const shown = inspect(error, { depth: 9 });
        for (const secret of secrets) expect(shown).not.toContain(secret.slice(8, 32));
      }),
      fuzzParameters(0.025),
    );
  });
});
