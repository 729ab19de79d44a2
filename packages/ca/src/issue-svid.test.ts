import { systemClock } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId, type SpiffeId } from "@signet/spiffe";
import {
  type CertificateChain,
  createCsr,
  generateKeyPair,
  type KeyPair,
  parseCertificate,
  parseTrustBundle,
  spiffeIdOf,
} from "@signet/x509";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Caller } from "./caller.ts";
import { type IssueSvidDependencies, type IssueSvidRequest, issueSvid } from "./issue-svid.ts";
import {
  buildTestCsr,
  type FakeSigningCa,
  type FakeSigningCaOptions,
  fakeSigningCa,
  recordingEvents,
} from "./testing.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const caller: Caller = { spiffeId, source: "token" };
const limits = { defaultTtlMs: 86_400_000, maxTtlMs: 7_776_000_000 };
const start = new Date("2026-11-01T12:00:00.250Z");
const signal = new AbortController().signal;

let key: KeyPair;
let csrPem: string;
let request: IssueSvidRequest;

beforeAll(async () => {
  key = await generateKeyPair("P-256");
  csrPem = createCsr({ key, spiffeId });
  request = { csrPem, requestedSeconds: 3600n, caller };
});

async function setUp(options: FakeSigningCaOptions = {}) {
  const signingCa = await fakeSigningCa(options);
  const events = recordingEvents();
  const dependencies: IssueSvidDependencies & { signingCa: FakeSigningCa } = {
    signingCa,
    limits,
    clock: new FakeClock(start),
    events,
  };
  return { signingCa, events, dependencies };
}

describe("issueSvid", () => {
  it("issues the caller's SPIFFE ID over the key of the CSR, for what was asked", async () => {
    const { dependencies, signingCa } = await setUp();
    const { chain, trustBundle } = await issueSvid(request, dependencies, signal);
    expect(spiffeIdOf(chain[0])).toBe(spiffeId);
    expect(Buffer.from(chain[0].spki)).toEqual(Buffer.from(key.spki));
    expect(chain[0].notBefore.toISOString()).toBe("2026-11-01T11:58:00.000Z");
    expect(chain[0].notAfter.toISOString()).toBe("2026-11-01T13:00:00.000Z");
    expect(trustBundle).toBe(signingCa.trustBundle.current());
  });

  it("tells of every certificate", async () => {
    const { dependencies, events } = await setUp({ name: "self-signed" });
    const { chain } = await issueSvid(request, dependencies, signal);
    expect(events.all).toEqual([
      {
        kind: "issued",
        caller,
        signingCa: "self-signed",
        serialNumber: expect.stringMatching(/^[0-9a-f]+$/),
        notBefore: chain[0].notBefore,
        notAfter: chain[0].notAfter,
        publicKeyInfo: { kind: "ec", curve: "P-256" },
        durationMs: 0,
      },
    ]);
  });

  it.each<{ name: string; change: Partial<IssueSvidRequest>; code: string }>([
    { name: "what is no CSR", change: { csrPem: "x" }, code: "csr-malformed" },
    { name: "a CSR that is too large", change: { csrPem: "x".repeat(200_000) }, code: "csr-too-large" },
    { name: "a lifetime above the maximum", change: { requestedSeconds: 7_776_001n }, code: "ttl-too-long" },
    { name: "a lifetime near 2^63", change: { requestedSeconds: 2n ** 63n - 1n }, code: "ttl-too-long" },
  ])("refuses $name, tells of it, and asks no signing CA", async ({ change, code }) => {
    const { dependencies, signingCa, events } = await setUp();
    await expect(issueSvid({ ...request, ...change }, dependencies, signal)).rejects.toMatchObject({ code });
    expect(events.all).toMatchObject([{ kind: "refused", caller, code, error: { code } }]);
    expect(signingCa.requests).toEqual([]);
  });

  it("refuses a CSR that does not prove possession of its key", async () => {
    const { dependencies, signingCa } = await setUp();
    const stolen = buildTestCsr({ key, signedBy: await generateKeyPair("P-256") });
    await expect(issueSvid({ ...request, csrPem: stolen }, dependencies, signal)).rejects.toMatchObject({
      code: "csr-signature-invalid",
    });
    expect(signingCa.requests).toEqual([]);
  });

  it("says when the signing CA is not ready, has expired, or fails", async () => {
    const { dependencies, signingCa, events } = await setUp();
    signingCa.setNotAfterLimit(undefined);
    await expect(issueSvid(request, dependencies, signal)).rejects.toMatchObject({ code: "ca-not-ready" });
    signingCa.setNotAfterLimit(start);
    await expect(issueSvid(request, dependencies, signal)).rejects.toMatchObject({ code: "ca-expired" });
    signingCa.setNotAfterLimit(new Date("2030-01-01"));
    const sealed = new Error("sealed");
    signingCa.failWith(sealed);
    await expect(issueSvid(request, dependencies, signal)).rejects.toMatchObject({
      code: "signing-failed",
      cause: sealed,
    });
    expect(events.all.map((event) => event.kind)).toEqual(["refused", "refused", "refused"]);
  });

  it("asks for the signing CA's limit at each signature", async () => {
    const { dependencies, signingCa } = await setUp();
    signingCa.setNotAfterLimit(new Date("2026-11-01T12:10:00Z"));
    const { chain } = await issueSvid(request, dependencies, signal);
    expect(chain[0].notAfter.toISOString()).toBe("2026-11-01T12:10:00.000Z");
  });

  it("lets nothing out that is not what was to be signed", async () => {
    const stranger = await fakeSigningCa();
    const strangersChain = await stranger.sign(
      { template: { spki: key.spki, subjectAltNames: [{ kind: "uri", value: spiffeId }], ...validity() } },
      signal,
    );
    const { dependencies, events } = await setUp({ alter: () => strangersChain });
    await expect(issueSvid(request, dependencies, signal)).rejects.toMatchObject({ code: "issued-svid-mismatch" });
    expect(events.all).toMatchObject([{ kind: "refused", code: "issued-svid-mismatch" }]);
  });

  it("hands out the trust bundle as it was before signing", async () => {
    const { dependencies, signingCa } = await setUp();
    const before = signingCa.trustBundle.current();
    if (before === undefined) throw new Error("no trust bundle");
    const sign = signingCa.sign;
    const rotating: FakeSigningCa = {
      ...signingCa,
      async sign(toSign, until) {
        const chain = await sign(toSign, until);
        signingCa.trustBundle.publish(parseTrustBundle(before.pem));
        return chain;
      },
    };
    const issued = await issueSvid(request, { ...dependencies, signingCa: rotating }, signal);
    expect(issued.trustBundle).toBe(before);
    expect(signingCa.trustBundle.current()).not.toBe(before);
  });

  it("verifies the signature of a key elsewhere every time", async () => {
    let faulty = false;
    const flipped = ([{ der }]: CertificateChain): CertificateChain => [
      parseCertificate(der.with(-1, (der.at(-1) ?? 0) ^ 1)),
    ];
    const { dependencies } = await setUp({
      keyIsLocal: false,
      alter: (chain) => (faulty ? flipped(chain) : chain),
    });
    await issueSvid(request, dependencies, signal);
    faulty = true;
    await expect(issueSvid(request, dependencies, signal)).rejects.toMatchObject({ code: "issued-svid-mismatch" });
  });

  it("gives the reason of the signal where the backend fails because of it", async () => {
    const { dependencies, signingCa, events } = await setUp();
    const reason = new Error("deadline");
    const controller = new AbortController();
    const hanging: FakeSigningCa = {
      ...signingCa,
      sign() {
        controller.abort(reason);
        return Promise.reject(new Error("socket closed"));
      },
    };
    const call = issueSvid(request, { ...dependencies, signingCa: hanging }, controller.signal);
    await expect(call).rejects.toBe(reason);
    expect(events.all).toEqual([]);
  });

  it("looks at nothing when aborted before", async () => {
    const { dependencies, events } = await setUp();
    const reason = new Error("client went away");
    const call = issueSvid({ ...request, csrPem: "x" }, dependencies, AbortSignal.abort(reason));
    await expect(call).rejects.toBe(reason);
    expect(events.all).toEqual([]);
  });

  it("rejects with the reason of the signal when aborted, and tells of no refusal", async () => {
    const { dependencies, events } = await setUp();
    const reason = new Error("client went away");
    await expect(issueSvid(request, dependencies, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(events.all).toEqual([]);
  });

  it.each(["P-384", "RSA-2048", "Ed25519"] as const)("issues under a %s CA", async (keyType) => {
    const { dependencies } = await setUp({ keyType });
    const { chain } = await issueSvid(request, { ...dependencies, clock: systemClock }, signal);
    expect(spiffeIdOf(chain[0])).toBe(spiffeId);
  });
});

function validity() {
  return { notBefore: new Date("2026-11-01T11:58:00Z"), notAfter: new Date("2026-11-01T13:00:00Z") };
}

describe("issueSvid and the names in a CSR", () => {
  const longId = parseSpiffeId(`spiffe://cluster.local/ns/demo/sa/${"a".repeat(40)}`);

  it.each<{ name: string; commonName: string | undefined; id: SpiffeId; subject: string | undefined }>([
    { name: "none without one", commonName: undefined, id: spiffeId, subject: undefined },
    { name: "none for an empty one", commonName: "", id: spiffeId, subject: undefined },
    { name: "the SPIFFE ID for any one", commonName: "admin", id: spiffeId, subject: spiffeId },
    { name: "none where the SPIFFE ID is over 64 characters", commonName: "admin", id: longId, subject: undefined },
  ])("sets as common name $name", async ({ commonName, id, subject }) => {
    const { dependencies, signingCa } = await setUp();
    const named = commonName === undefined ? { key } : { key, commonName };
    await issueSvid(
      { ...request, csrPem: buildTestCsr(named), caller: { ...caller, spiffeId: id } },
      dependencies,
      signal,
    );
    expect(signingCa.requests[0]?.template.commonName).toBe(subject);
  });

  it("never signs a name that is not the caller's", async () => {
    const { dependencies } = await setUp();
    const text = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom("a,b", "spiffe://x,victim.example,y/ns/a/sa/b"),
    );
    const name = fc.oneof(
      fc.record({ kind: fc.constantFrom("uri" as const, "dns" as const), value: text }),
      fc.record({ kind: fc.constant("uri" as const), value: fc.webUrl() }),
      fc.record({ kind: fc.constant("dns" as const), value: fc.domain() }),
      fc.record({ kind: fc.constant("ip" as const), value: fc.ipV4() }),
      fc
        .record({ tag: fc.constantFrom(0x81, 0x88, 0xa0), content: fc.uint8Array({ maxLength: 20 }) })
        .map(({ tag, content }) => ({
          kind: "other" as const,
          tag,
          der: Uint8Array.of(tag, content.length, ...content),
        })),
    );
    const asked = fc.record(
      { commonName: text, organization: text, subjectAltNames: fc.array(name, { maxLength: 5 }), ca: fc.boolean() },
      { requiredKeys: [] },
    );
    const segment = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
    await fc.assert(
      fc.asyncProperty(asked, segment, segment, async (csr, namespace, account) => {
        const id = parseSpiffeId(`spiffe://cluster.local/ns/${namespace}/sa/${account}`);
        const csrPem = buildTestCsr({ key, ...csr });
        const issued = await issueSvid(
          { ...request, csrPem, caller: { ...caller, spiffeId: id } },
          dependencies,
          signal,
        ).catch((error: unknown) => error);
        // A CSR that cannot be read is refused; all that is ever signed is the caller's own name.
        if (issued instanceof Error) {
          expect(issued).toHaveProperty("code", "csr-malformed");
          return;
        }
        const { chain } = issued as Awaited<ReturnType<typeof issueSvid>>;
        expect(chain[0].subjectAltNames).toEqual([{ kind: "uri", value: id }]);
        expect(chain[0].isCa).toBe(false);
        expect(chain[0].keyUsage?.has("keyCertSign")).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
