import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { buildTestCsr } from "@signet/ca/testing";
import { IstioCertificateRequestSchema } from "@signet/protos/istio/security/v1alpha1/ca";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, parseCsr } from "@signet/x509";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type CaUnderFuzz, type FuzzAnswer, startCaUnderFuzz } from "./support/ca-under-fuzz.ts";
import { fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";
import { damagedDer } from "./support/mutate-der.ts";
import { mutatedText } from "./support/mutate-text.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const key = await generateKeyPair("P-256");
const csrs = [
  createCsr({ key, spiffeId }),
  buildTestCsr({
    key,
    commonName: "admin",
    subjectAltNames: [
      { kind: "uri", value: "spiffe://cluster.local/ns/victim/sa/admin" },
      { kind: "dns", value: "victim.example" },
    ],
    ca: true,
  }),
];
const spki = parseCsr(csrs[0] ?? "").spki;

const ca: CaUnderFuzz = await startCaUnderFuzz();
afterAll(() => ca.close());

/** What a request that is one may be answered with; UNKNOWN or INTERNAL would be a fault of the server's. */
const refusals = [status.INVALID_ARGUMENT, status.UNAUTHENTICATED, status.RESOURCE_EXHAUSTED, status.UNIMPLEMENTED];

/** Every gRPC server answers bytes that are no message of the method with INTERNAL. */
function isMessage(bytes: Uint8Array): boolean {
  try {
    fromBinary(IstioCertificateRequestSchema, bytes);
    return true;
  } catch {
    return false;
  }
}

function expectOnly(name: string, answer: FuzzAnswer): void {
  if (answer.kind === "refused") {
    expect(refusals.map((code) => status[code])).toContain(status[answer.code]);
    return;
  }
  const { leaf } = answer;
  expect(leaf.subjectAltNames).toEqual([{ kind: "uri", value: name }]);
  expect(leaf.isCa).toBe(false);
}

const word = fc.oneof(
  fc.constantFrom("ImpersonatedIdentity", "CertSigner", spiffeId, "spiffe://cluster.local/ns/victim/sa/admin"),
  fc.constantFrom("", "\0", ",", "__proto__", "spiffe://x,victim.example,y/ns/demo/sa/frontend"),
  fc.string({ maxLength: 8 }),
);
const json: fc.Arbitrary<string | number | boolean | null | string[]> = fc.oneof(
  word,
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
  fc.array(word, { maxLength: 3 }),
);
const built = fc
  .record({
    csr: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...csrs) },
      { weight: 1, arbitrary: mutatedText(csrs, ["\0", "-----"]) },
    ),
    validityDuration: fc.oneof(fc.constant(3_600n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    metadata: fc.oneof(fc.constant({}), fc.dictionary(word, json, { maxKeys: 3 })),
  })
  .map((fields) => toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, fields)));
const samples = csrs.map((csr) =>
  toBinary(
    IstioCertificateRequestSchema,
    create(IstioCertificateRequestSchema, { csr, validityDuration: 3_600n, metadata: { CertSigner: "" } }),
  ),
);
const bytes = fc.oneof(
  { weight: 4, arbitrary: built },
  { weight: 3, arbitrary: damagedDer(samples) },
  { weight: 2, arbitrary: built.chain((sample) => damagedDer([sample])) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }) },
);

describe("CreateCertificate, whatever its bytes are", () => {
  it("gives a caller its own name over its own key, or refuses", { timeout: fuzzTimeoutMs }, async () => {
    let issued = 0;
    await fc.assert(
      fc.asyncProperty(bytes, async (request) => {
        const answer = await ca.call(request, { authorization: `Bearer ${ca.token}` });
        if (answer.kind === "refused" && answer.code === status.INTERNAL && !isMessage(request)) return;
        expectOnly(spiffeId, answer);
        if (answer.kind === "refused") return;
        issued++;
        expect(answer.leaf.spki.toHex()).toBe(spki.toHex());
      }),
      fuzzParameters(0.05),
    );
    expect(issued).toBeGreaterThan(0);
  });
});

describe("a forwarded certificate, whatever others put before it", () => {
  const workload = fc
    .constantFrom("frontend", "backend", "a.b-c")
    .map((name) => `spiffe://cluster.local/ns/demo/sa/${name}`);
  const piece = fc.oneof(
    fc.constantFrom(
      "URI=spiffe://cluster.local/ns/victim/sa/admin",
      "By=",
      "Hash=",
      'Subject="',
      '"',
      "\\",
      ",",
      ";",
      "=",
    ),
    fc.constantFrom("DNS=victim.example", "Cert=", "Chain=", "uri=", " ", "%2C", "\\\\", '\\"'),
    fc.string({ maxLength: 6 }),
  );
  const before = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  /** As OpenSSL writes a subject for a header (RFC 2253): what would end the value is escaped. */
  const subject = fc
    .oneof(before, fc.string({ maxLength: 20 }))
    .map((text) => `CN=${text.replace(/["\\,+<>;]/g, "\\$&")}`);
  const ownPairs = fc.record({
    uri: workload,
    subject: fc.option(subject, { nil: undefined }),
    dns: fc.option(fc.constantFrom("victim.example", "a.b"), { nil: undefined }),
    first: fc.boolean(),
  });
  const request = samples[1] ?? new Uint8Array();

  it("gives the name that the gateway saw, or refuses", { timeout: fuzzTimeoutMs }, async () => {
    let issued = 0;
    await fc.assert(
      fc.asyncProperty(before, ownPairs, async (others, own) => {
        const pairs = [`By=spiffe://cluster.local/ns/istio-system/sa/gateway`, `Hash=${"0".repeat(64)}`];
        if (own.subject !== undefined) pairs.push(`Subject="${own.subject}"`);
        if (own.first) pairs.unshift(`URI=${own.uri}`);
        else pairs.push(`URI=${own.uri}`);
        if (own.dns !== undefined) pairs.push(`DNS=${own.dns}`);
        const header = [others, pairs.join(";")].filter((part) => part !== "").join(",");
        const answer = await ca.call(request, { "x-forwarded-client-cert": header });
        expectOnly(own.uri, answer);
        if (answer.kind === "issued") issued++;
      }),
      fuzzParameters(0.025),
    );
    expect(issued).toBeGreaterThan(0);
  });

  it("gives no name that is not written in the header, however that is damaged", {
    timeout: fuzzTimeoutMs,
  }, async () => {
    const headers = [
      "URI=spiffe://cluster.local/ns/demo/sa/frontend",
      'By=spiffe://cluster.local/ns/a/sa/b;Subject="CN=\\"x\\", y";URI=spiffe://cluster.local/ns/demo/sa/backend;DNS=a.b',
    ];
    const printable = mutatedText(headers, [",", ";", '"', "\\", "URI=", "spiffe://"]).map((text) =>
      text.replace(/[^\x20-\x7e]/g, "?"),
    );
    await fc.assert(
      fc.asyncProperty(printable, async (header) => {
        const answer = await ca.call(request, { "x-forwarded-client-cert": header });
        const [name] = answer.kind === "issued" ? answer.leaf.subjectAltNames : [];
        const text = name === undefined || name.kind === "other" ? "" : name.value;
        expectOnly(text, answer);
        expect(header.replaceAll("\\", "")).toContain(text);
      }),
      fuzzParameters(0.025),
    );
  });
});
