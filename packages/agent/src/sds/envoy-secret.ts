import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { DataSourceSchema } from "@signet/protos/envoy/config/core/v3/base";
import { SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import { certificatePem, privateKeyPem, type TrustBundle, type X509Svid } from "@signet/x509";
import { type SecretName, trustBundleSecretName, workloadSecretName } from "./secret-names.ts";

/** How a private key is written: SEC1 or PKCS#1 under its own label, or PKCS#8. */
export type PrivateKeyFormat = "traditional" | "pkcs8";

/**
 * The secret `default`: leaf and intermediates in TLS order, and the private key.
 *
 * The root is not among them, unlike istio-agent's: a verifier that trusts it has it (RFC 8446 section 4.4.2).
 */
export function workloadSecret(svid: X509Svid, keyFormat: PrivateKeyFormat): Any {
  const chainPem = svid.chain.map(certificatePem).join("");
  return certificateSecret(workloadSecretName, { chainPem, keyPem: privateKeyPem(svid.key, keyFormat) });
}

/**
 * The secret `ROOTCA`: the authorities one after the other, encoded anew.
 *
 * The text as distributed may hold what BoringSSL refuses, and then Envoy would refuse the whole secret.
 */
export function trustBundleSecret(bundle: TrustBundle): Any {
  return rootsSecret(trustBundleSecretName, bundle.authorities.map(certificatePem).join(""));
}

/** A secret of that name with a certificate chain, leaf first, and its key, in PEM. */
export function certificateSecret(
  name: SecretName,
  { chainPem, keyPem }: { readonly chainPem: string; readonly keyPem: string },
): Any {
  const value = { certificateChain: inlineBytes(chainPem), privateKey: inlineBytes(keyPem) };
  return pack({ name, type: { case: "tlsCertificate", value } });
}

/** A secret of that name with authorities to verify peers by, in PEM. */
export function rootsSecret(name: SecretName, rootsPem: string): Any {
  return pack({ name, type: { case: "validationContext", value: { trustedCa: inlineBytes(rootsPem) } } });
}

function pack(secret: MessageInitShape<typeof SecretSchema>): Any {
  return anyPack(SecretSchema, create(SecretSchema, secret));
}

function inlineBytes(text: string): MessageInitShape<typeof DataSourceSchema> {
  return { specifier: { case: "inlineBytes", value: new TextEncoder().encode(text) } };
}
