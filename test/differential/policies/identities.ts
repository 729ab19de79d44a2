import { sign, X509Certificate } from "node:crypto";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { type TestCa, testKey, testLeaf, testRoot } from "@signet/x509/testing";

/** Certificates of clients and of the server, all by one authority and with one key each. */
export type Identities = {
  readonly rootPem: string;
  readonly server: { readonly cert: string; readonly key: string };
  /** A client's certificate whose one URI is this text, one octet per character. */
  clientOf(uri: string): Promise<{ readonly cert: string; readonly key: string }>;
};

/** Makes an authority and what it issues, when it is first asked for. */
export async function createIdentities(): Promise<Identities> {
  const root = await testRoot();
  const key = await testKey("P-256", "client");
  const known = new Map<string, Promise<{ readonly cert: string; readonly key: string }>>();
  const issue = async (uri: string): Promise<{ readonly cert: string; readonly key: string }> => {
    const isAscii = /^\p{ASCII}*$/u.test(uri);
    const placeholder = "@".repeat(uri.length);
    const { chain } = await testLeaf(root, {
      key,
      subjectAltNames: [{ kind: "uri", value: isAscii ? uri : placeholder }],
    });
    const pem = chain.map(certificatePem).join("");
    if (isAscii) return { cert: pem, key: privateKeyPem(key, "pkcs8") };
    const der = new X509Certificate(pem).raw;
    const odd = withUri(der, { placeholder, octets: Buffer.from(uri, "latin1"), root });
    return { cert: pemOf(odd), key: privateKeyPem(key, "pkcs8") };
  };
  return {
    rootPem: root.pem,
    server: await serverOf(root),
    clientOf: (uri) => {
      const made = known.get(uri) ?? issue(uri);
      known.set(uri, made);
      return made;
    },
  };
}

async function serverOf(root: TestCa): Promise<{ readonly cert: string; readonly key: string }> {
  const { chain, key } = await testLeaf(root);
  return { cert: chain.map(certificatePem).join(""), key: privateKeyPem(key, "pkcs8") };
}

/** Octets that are no ASCII are put in afterwards and signed anew: nobody who issues certificates would do it. */
function withUri(
  certificate: Buffer,
  { placeholder, octets, root }: { readonly placeholder: string; readonly octets: Buffer; readonly root: TestCa },
): Buffer {
  const [outer, at] = [certificate, certificate.indexOf(placeholder)];
  const start = 4;
  const bodyLength = 4 + outer.readUInt16BE(start + 2);
  const body = Buffer.from(outer.subarray(start, start + bodyLength));
  octets.copy(body, at - start);
  const algorithm = outer.subarray(start + bodyLength, start + bodyLength + 2 + (outer[start + bodyLength + 1] ?? 0));
  const signature = sign("sha256", body, root.key.privateKey);
  const bits = Buffer.concat([Buffer.from([0x03, signature.length + 1, 0]), signature]);
  const content = Buffer.concat([body, algorithm, bits]);
  return Buffer.concat([Buffer.from([0x30, 0x82, content.length >> 8, content.length & 0xff]), content]);
}

function pemOf(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
