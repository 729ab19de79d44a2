import { fromBinary } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { type Secret, SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import { certificatePem, parseCertificates, parsePrivateKey, parseTrustBundle } from "@signet/x509";
import { testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { trustBundleSecret, workloadSecret } from "./envoy-secret.ts";
import { secretTypeUrl } from "./secret-stream.ts";

function unpack(resource: Any): Secret {
  expect(resource.typeUrl).toBe(secretTypeUrl);
  return fromBinary(SecretSchema, resource.value);
}

function inlineText(source: { specifier: { case: string | undefined; value?: unknown } } | undefined): string {
  const value = source?.specifier.case === "inlineBytes" ? source.specifier.value : undefined;
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : "";
}

describe("the secret `default`", () => {
  it.each([
    ["traditional", "-----BEGIN EC PRIVATE KEY-----"],
    ["pkcs8", "-----BEGIN PRIVATE KEY-----"],
  ] as const)("holds leaf, intermediates and the %s key, without the root", async (format, label) => {
    const svid = await testLeaf(await testIntermediate(await testRoot()));
    const { name, type } = unpack(workloadSecret(svid, format));
    if (type.case !== "tlsCertificate") throw new Error(`no certificate but ${type.case}`);
    expect(name).toBe("default");
    const chain = parseCertificates(inlineText(type.value.certificateChain));
    expect(chain.map(certificatePem)).toEqual(svid.chain.map(certificatePem));
    const key = inlineText(type.value.privateKey);
    expect(key.startsWith(label)).toBe(true);
    expect(parsePrivateKey(key).publicKey.equals(svid.chain[0].publicKey)).toBe(true);
  });
});

describe("the secret `ROOTCA`", () => {
  it("holds what could be parsed of the bundle and no more", async () => {
    const roots = [await testRoot(), await testRoot()];
    const bundle = parseTrustBundle(`# comment\n${roots.map(({ pem }) => pem).join("noise\n")}${broken}`);
    const { name, type } = unpack(trustBundleSecret(bundle));
    if (type.case !== "validationContext") throw new Error(`no validation context but ${type.case}`);
    expect(name).toBe("ROOTCA");
    expect(inlineText(type.value.trustedCa)).toBe(roots.map(({ pem }) => pem).join(""));
  });
});

const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

describe("both", () => {
  it("are packed under the name that Envoy resolves", async () => {
    const root = await testRoot();
    expect(anyUnpack(trustBundleSecret(root.trustBundle), SecretSchema)?.name).toBe("ROOTCA");
  });
});
