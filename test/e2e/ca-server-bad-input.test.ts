import { createHmac, generateKeyPairSync } from "node:crypto";
import { buildTestCsr } from "@signet/ca/testing";
import { type Channel, Status } from "@signet/grpc";
import { testIssuer } from "@signet/jwt/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, encodePem, generateKeyPair, type KeyPair, parseCertificates, parsePem } from "@signet/x509";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type CertificateCall, createCertificate, startTestCaServer, type TestCaServer } from "./ca-server-fixture.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const key = await generateKeyPair("P-256");
const csr = createCsr({ key, spiffeId });
const [der = new Uint8Array()] = parsePem(csr, "CERTIFICATE REQUEST");
let ca: TestCaServer;
let channel: Channel;

beforeAll(async () => {
  ca = await startTestCaServer();
  channel = ca.connect();
});

afterAll(async () => {
  await ca.close();
});

/** Whatever it was given before, the CA still serves an honest caller, by the same connection and by the caller's own name. */
afterEach(async () => {
  const answer = await createCertificate(channel, { csr, token: ca.issuer.sign() });
  if (answer.kind !== "issued") throw new Error(`the CA stopped serving: ${answer.message}`);
  expect(parseCertificates(answer.chain[0] ?? "")[0]?.subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
  expect(await ca.server.ready()).toBe(true);
});

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function claims(): object {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  return { iss: ca.issuer.issuer, sub: "system:serviceaccount:demo:frontend", aud: ["istio-ca"], exp };
}

function unsignedToken(alg: string): string {
  return `${base64url({ alg, typ: "JWT" })}.${base64url(claims())}.`;
}

function hs256Token(secret: string | Buffer): string {
  const text = `${base64url({ alg: "HS256", kid: ca.issuer.kid })}.${base64url(claims())}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

const nowSeconds = Math.floor(Date.now() / 1000);

describe("a bad credential is UNAUTHENTICATED, in one sentence for all", () => {
  it.each<[string, () => string | undefined]>([
    ["no token", () => undefined],
    ["an empty token", () => ""],
    ["something that is no token", () => "a.b.c"],
    ["an expired token", () => ca.issuer.sign({ exp: nowSeconds - 3600 })],
    ["a token that has just expired", () => ca.issuer.sign({ exp: nowSeconds - 1 })],
    ["a token that is not valid yet", () => ca.issuer.sign({ nbf: nowSeconds + 3600 })],
    ["a token without expiry", () => ca.issuer.sign({ exp: undefined })],
    ["a token for another audience", () => ca.issuer.sign({ aud: ["vault"] })],
    ["a token for no audience", () => ca.issuer.sign({ aud: [] })],
    ["a token of another issuer", () => testIssuer({ issuer: "https://evil.example" }).sign()],
    ["a token that claims our issuer", () => testIssuer({ issuer: ca.issuer.issuer, alg: "RS256", kid: "x" }).sign()],
    [
      "a token by another key under the same key ID",
      () =>
        testIssuer({ issuer: "https://evil.example", alg: "RS256", kid: ca.issuer.kid }).sign({
          iss: ca.issuer.issuer,
        }),
    ],
    ["alg none", () => unsignedToken("none")],
    ["alg None", () => unsignedToken("None")],
    ["no alg", () => unsignedToken("")],
    ["HS256 with the public key", () => hs256Token(ca.issuer.publicKey.export({ type: "spki", format: "pem" }))],
    ["HS256 with the JWKS", () => hs256Token(ca.issuer.jwks)],
    ["a token whose signature is cut", () => ca.issuer.sign().slice(0, -8)],
    ["a token of a user", () => ca.issuer.sign({ sub: "alice" })],
    ["a service account of three parts", () => ca.issuer.sign({ sub: "system:serviceaccount:demo" })],
    ["a service account that is a path", () => ca.issuer.sign({ sub: "system:serviceaccount:demo/sa/admin:x" })],
    ["a token of more than 16 KiB", () => ca.issuer.sign({ filler: "x".repeat(12_500) })],
  ])("%s", async (_, token) => {
    expect(await createCertificate(channel, { csr, token: token() })).toEqual({
      kind: "refused",
      code: Status.UNAUTHENTICATED,
      message: "request authenticate failure",
    });
  });

  it("impersonation, which nobody may ask for here", async () => {
    const metadata = { ImpersonatedIdentity: "spiffe://cluster.local/ns/demo/sa/backend" };
    expect(await createCertificate(channel, { csr, token: ca.issuer.sign(), metadata })).toEqual({
      kind: "refused",
      code: Status.UNAUTHENTICATED,
      message: "request impersonation authentication failure",
    });
  });
});

const malformed = "CSR signing error (the CSR is not a PKCS#10 request in PEM that this CA can sign)";
const unproven = "CSR signing error (the CSR is not signed with its own key)";

describe("a bad CSR is INVALID_ARGUMENT, in a sentence of its own", () => {
  it.each<[string, () => Promise<string>, string]>([
    ["no CSR", async () => "", malformed],
    ["a CSR that is not PEM", async () => "hello", malformed],
    ["PEM without end", async () => csr.replace(/-----END.*/, ""), malformed],
    ["PEM of another kind", async () => encodePem("CERTIFICATE", der), malformed],
    ["a CSR of nothing", async () => encodePem("CERTIFICATE REQUEST", new Uint8Array()), malformed],
    ["a CSR with something behind it", async () => pem(Buffer.concat([der, Buffer.of(0)])), malformed],
    ["a CSR that is cut in its base64", async () => csr.replace(/^[^-].*\n/m, ""), malformed],
    [
      "a CSR signed by another key",
      async () => buildTestCsr({ key, signedBy: await generateKeyPair("P-256") }),
      unproven,
    ],
    [
      "a CSR of an RSA key of 1024 bits",
      async () => buildTestCsr({ key: weakKey() }),
      "CSR signing error (the CSR's key is not of RSA 2048 to 4096, P-256, P-384, P-521 or Ed25519)",
    ],
    [
      "a CSR over 64 KiB",
      async () => pem(Buffer.concat([der, Buffer.alloc(65_536)])),
      "CSR signing error (the CSR exceeds 65536 bytes)",
    ],
  ])("%s", async (_, text, message) => {
    expect(await createCertificate(channel, { csr: await text(), token: ca.issuer.sign() })).toEqual({
      kind: "refused",
      code: Status.INVALID_ARGUMENT,
      message,
    });
  });

  it("cut off after any byte", async () => {
    const calls = Array.from(der.keys(), (length) => ({ csr: pem(der.subarray(0, length)) }));
    expect(await refusals(calls)).toEqual(new Set([malformed]));
  });

  it("with one bit flipped in any byte", async () => {
    const calls = Array.from(der.keys(), (at) => {
      const flipped = Buffer.from(der);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      return { csr: pem(flipped) };
    });
    const messages = await refusals(calls);
    for (const message of messages) expect(message).toMatch(/^CSR signing error \(the CSR.*\)$/);
    expect(messages).toContain(unproven);
  });

  it("over the limit of the transport is RESOURCE_EXHAUSTED", async () => {
    const answer = await createCertificate(channel, { csr: "x".repeat(5 * 1024 * 1024), token: ca.issuer.sign() });
    expect(answer).toMatchObject({ kind: "refused", code: Status.RESOURCE_EXHAUSTED });
  });
});

describe("names of someone else are ignored and never signed", () => {
  it.each<[string, Omit<Parameters<typeof buildTestCsr>[0], "key">]>([
    ["as URI", { subjectAltNames: [{ kind: "uri", value: "spiffe://cluster.local/ns/kube-system/sa/admin" }] }],
    [
      "as several URIs",
      {
        subjectAltNames: [
          { kind: "uri", value: spiffeId },
          { kind: "uri", value: "spiffe://x/y" },
        ],
      },
    ],
    ["as DNS name", { subjectAltNames: [{ kind: "dns", value: "istiod.istio-system.svc" }] }],
    ["as IP address", { subjectAltNames: [{ kind: "ip", value: "10.0.0.1" }] }],
    ["as organization", { organization: "system:masters" }],
    ["as a CA", { ca: true }],
  ])("%s", async (_, asked) => {
    const answer = await createCertificate(channel, { csr: buildTestCsr({ key, ...asked }), token: ca.issuer.sign() });
    const [leaf] = parseCertificates(answer.kind === "issued" ? (answer.chain[0] ?? "") : "");
    expect(leaf?.subjectAltNames).toEqual([{ kind: "uri", value: spiffeId }]);
    expect(leaf?.isCa).toBe(false);
    expect(leaf?.subject).toEqual(new Uint8Array([0x30, 0x00]));
  });
});

describe("a lifetime", () => {
  const day = 86_400;

  it.each<[string, bigint, number]>([
    ["zero", 0n, day],
    ["negative", -3600n, day],
    ["of the least int64", -(2n ** 63n), day],
    ["of a second", 1n, 1],
    ["of the maximum", 7_776_000n, 7_776_000],
  ])("%s is served", async (_, validityDuration, seconds) => {
    const before = Math.floor(Date.now() / 1000);
    const answer = await createCertificate(channel, { csr, token: ca.issuer.sign(), validityDuration });
    const [leaf] = parseCertificates(answer.kind === "issued" ? (answer.chain[0] ?? "") : "");
    const lived = (leaf?.notAfter.getTime() ?? 0) / 1000 - before;
    expect(lived).toBeGreaterThanOrEqual(seconds);
    expect(lived).toBeLessThan(seconds + 10);
  });

  it.each<[string, bigint, string]>([
    ["above the maximum", 7_776_001n, "2160h0m1s"],
    ["that wraps around in nanoseconds", 10_000_000_000n, "2777777h46m40s"],
    ["near 2^63", 2n ** 63n - 1n, "2562047788015215h30m7s"],
  ])("%s is INVALID_ARGUMENT", async (_, validityDuration, requested) => {
    expect(await createCertificate(channel, { csr, token: ca.issuer.sign(), validityDuration })).toEqual({
      kind: "refused",
      code: Status.INVALID_ARGUMENT,
      message: `CSR signing error (requested lifetime ${requested} exceeds 2160h0m0s)`,
    });
  });
});

function weakKey(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const spki = publicKey.export({ type: "spki", format: "der" });
  return { privateKey, publicKey, spki, info: { kind: "rsa", bits: 1024 } };
}

function pem(bytes: Uint8Array): string {
  return encodePem("CERTIFICATE REQUEST", bytes);
}

/** The sentences with which all calls were refused, all with INVALID_ARGUMENT. */
async function refusals(calls: readonly CertificateCall[]): Promise<ReadonlySet<string>> {
  const token = ca.issuer.sign();
  const messages = new Set<string>();
  for (const call of calls) {
    const answer = await createCertificate(channel, { ...call, token });
    if (answer.kind === "issued") throw new Error(`a certificate was issued for ${call.csr}`);
    expect(answer.code).toBe(Status.INVALID_ARGUMENT);
    messages.add(answer.message);
  }
  return messages;
}
