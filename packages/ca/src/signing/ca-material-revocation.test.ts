import { encodePem, privateKeyPem, splitPem } from "@signet/x509";
import { type TestCa, testIntermediate, testKey, testRevocationList, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { filesOf, now } from "../testing/test-ca-files.ts";
import { openCaMaterial } from "./ca-material.ts";

const rights = { signsRevocationLists: true };
const refusal = (message: RegExp) =>
  expect.objectContaining({ code: "ca-material-invalid", message: expect.stringMatching(message) });

describe("openCaMaterial: revocation lists", () => {
  it("takes lists of every certificate above the leaves, in any order, and of strangers", async () => {
    const root = await testRoot(rights);
    const upper = await testIntermediate(root, { ...rights, organization: "upper" });
    const ca = await testIntermediate(upper, rights);
    const stranger = await testRoot({ ...rights, trustDomain: "stranger.example" });
    const crlPem = [root, stranger, ca, upper]
      .map((issuer) => testRevocationList(issuer, { revoked: [1] }))
      .join("#\n");
    const { revocation } = openCaMaterial(filesOf(ca, [root], { crlPem }), now);
    expect(revocation).toMatchObject({ pem: crlPem, coversAllRoots: true });
    expect(revocation?.lists).toHaveLength(4);
  });

  type Chain = { readonly root: TestCa; readonly upper: TestCa; readonly ca: TestCa };
  it.each<[string, (chain: Chain) => string | Promise<string>, RegExp]>([
    ["the signing certificate has none", ({ root, upper }) => lists(root, upper), /that O=lower has signed$/],
    ["an intermediate has none", ({ root, ca }) => lists(root, ca), /that O=upper has signed$/],
    ["the root has none", ({ upper, ca }) => lists(upper, ca), /that O=cluster\.local has signed$/],
    [
      "one is of the same name and another key",
      async ({ root, upper, ca }) => lists(root, ca) + testRevocationList(upper, { signer: await testKey() }),
      /that O=upper has signed$/,
    ],
    ["the file is no PEM", () => "lists", /^ca-crl\.pem cannot be used$/],
    ["a list is broken", ({ root, upper, ca }) => longer(lists(root, upper, ca)), /^ca-crl\.pem cannot be used$/],
    [
      "there is a certificate among them",
      ({ root, upper, ca }) => lists(root, upper, ca) + ca.pem,
      /^ca-crl\.pem cannot/,
    ],
    [
      "there is a key among them",
      ({ root, upper, ca }) => ` ${privateKeyPem(ca.key, "pkcs8")}${lists(root, upper, ca)}`,
      /^ca-crl\.pem holds a private key$/,
    ],
  ])("refuses them where %s", async (_, crl, message) => {
    const root = await testRoot(rights);
    const upper = await testIntermediate(root, { ...rights, organization: "upper" });
    const ca = await testIntermediate(upper, { ...rights, organization: "lower" });
    const crlPem = await crl({ root, upper, ca });
    expect(() => openCaMaterial(filesOf(ca, [root], { crlPem }), now)).toThrow(refusal(message));
  });

  it("refuses the list of a CA that may not sign lists", async () => {
    const root = await testRoot();
    const crlPem = testRevocationList(root);
    expect(() => openCaMaterial(filesOf(root, [root], { crlPem }), now)).toThrow(
      refusal(/O=cluster\.local has signed$/),
    );
  });

  it("asks it of every CA certificate in cert-chain.pem, also of one that is not needed", async () => {
    const root = await testRoot(rights);
    const ca = await testIntermediate(root, rights);
    const spare = await testIntermediate(root, { ...rights, organization: "spare" });
    const files = filesOf(ca, [root], { chainPem: ca.pem + spare.pem, crlPem: lists(root, ca) });
    expect(() => openCaMaterial(files, now)).toThrow(refusal(/O=spare has signed$/));
    expect(openCaMaterial({ ...files, crlPem: lists(root, ca, spare) }, now).revocation).toBeDefined();
  });

  it("leaves their dates to health", async () => {
    const root = await testRoot(rights);
    const crlPem = testRevocationList(root, { nextUpdate: new Date("2021-01-01T00:00:00Z") });
    expect(openCaMaterial(filesOf(root, [root], { crlPem }), now).revocation).toBeDefined();
  });
});

function lists(...issuers: readonly TestCa[]): string {
  return issuers.map((issuer) => testRevocationList(issuer)).join("");
}

/** The last block of a text with a byte more inside. */
function longer(pem: string): string {
  const blocks = splitPem(pem);
  return blocks
    .map(({ label, der }, index) => encodePem(label, index === blocks.length - 1 ? Uint8Array.of(...der, 0) : der))
    .join("");
}
