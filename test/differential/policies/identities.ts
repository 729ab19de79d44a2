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
    const { chain } = await testLeaf(root, { key, subjectAltNames: [uriName(uri)] });
    return { cert: chain.map(certificatePem).join(""), key: privateKeyPem(key, "pkcs8") };
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

type UriName =
  | { readonly kind: "uri"; readonly value: string }
  | { readonly kind: "other"; readonly tag: number; readonly der: Uint8Array };

/** Octets that are no ASCII are written as they are, which nobody who issues certificates should do. */
function uriName(uri: string): UriName {
  if (/^[\0-\x7e]*$/.test(uri)) return { kind: "uri", value: uri };
  const octets = Buffer.from(uri, "latin1");
  const length = octets.length < 0x80 ? [octets.length] : [0x82, octets.length >> 8, octets.length & 0xff];
  return { kind: "other", tag: 6, der: Buffer.concat([Buffer.from([0x86, ...length]), octets]) };
}
