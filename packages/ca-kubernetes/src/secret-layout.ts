import type { CaFiles, CaState } from "@signet/ca";
import type { Secret } from "@signet/kubernetes";
import { parseCertificates, X509Error } from "@signet/x509";
import { CaKubernetesError } from "./errors.ts";

/** Where a Secret is. */
export type SecretPlace = { readonly namespace: string; readonly name: string };

/** The key of a Secret that marks a CA in `cacerts` as made by the CA server itself, as istiod marks it. */
export const generatedMarker = "istio-generated";

/** Most bytes of one file of a CA; a whole Secret of Kubernetes has no more. */
const maxFileBytes = 1024 * 1024;

/**
 * Returns the Secret that keeps a self-signed CA, as istiod writes it: type, the three files, and two empty keys. In
 * `cacerts` it is marked as generated, so that nobody takes it for a CA that somebody plugged in.
 */
export function secretOfState(state: CaState, { namespace, name }: SecretPlace): Secret {
  const { certificatePem, privateKeyPem, rootCertificatesPem } = state;
  return {
    metadata: { namespace, name },
    type: "istio.io/ca-root",
    data: {
      "ca-cert.pem": encode(certificatePem),
      "ca-key.pem": encode(privateKeyPem),
      "cert-chain.pem": "",
      "key.pem": "",
      "root-cert.pem": encode(rootCertificatesPem),
      ...(name === "cacerts" ? { [generatedMarker]: "" } : {}),
    },
  };
}

/**
 * Returns the self-signed CA that a Secret keeps.
 *
 * istiod renews a root in place and leaves `root-cert.pem` as it was, so a root missing there is put in front of it.
 * Whether the files fit together is for whoever opens the CA to say; a file that is missing or no text is empty here.
 * @throws CaKubernetesError `secret-foreign` for a Secret `cacerts` that is not marked as generated
 */
export function stateOfSecret(secret: Secret, place: SecretPlace): CaState {
  const data = secret.data ?? {};
  if (place.name === "cacerts" && !Object.hasOwn(data, generatedMarker)) {
    throw new CaKubernetesError(
      "secret-foreign",
      `Secret ${describePlace(place)} holds a CA that somebody plugged in, and not one that a CA server made`,
    );
  }
  const certificatePem = decode(data, "ca-cert.pem") ?? "";
  const rootPem = decode(data, "root-cert.pem") ?? "";
  return {
    certificatePem,
    privateKeyPem: decode(data, "ca-key.pem") ?? "",
    rootCertificatesPem: holdsCertificate(rootPem, certificatePem) ? rootPem : joinPem(certificatePem, rootPem),
  };
}

/** The files of a self-signed CA's state, whose root signs itself. */
export function filesOfState({ certificatePem, privateKeyPem, rootCertificatesPem }: CaState): CaFiles {
  return { certificatePem, privateKeyPem, chainPem: "", rootPem: rootCertificatesPem };
}

type Layout = {
  readonly certificate: string;
  readonly key: string;
  readonly chain: readonly string[];
  readonly root: string;
  readonly crl?: string;
};

const istioLayout: Layout = {
  certificate: "ca-cert.pem",
  key: "ca-key.pem",
  chain: ["cert-chain.pem"],
  root: "root-cert.pem",
  crl: "ca-crl.pem",
};
const tlsLayout: Layout = { certificate: "tls.crt", key: "tls.key", chain: ["tls.crt", "ca.crt"], root: "ca.crt" };

/**
 * Returns the plugged-in CA of a Secret, in Istio's layout or that of a TLS Secret, or undefined when the Secret holds
 * none of the files of either.
 *
 * Half a CA is an error: starting with a root of our own instead would quietly split the mesh.
 * @throws CaKubernetesError `secret-incomplete` naming what is missing, `secret-malformed`
 */
export function pluggedInFilesOf(secret: Secret, place: SecretPlace): CaFiles | undefined {
  const data = secret.data ?? {};
  const layout = detectLayout(data);
  const wanted = namesOf(layout);
  if (!wanted.some((name) => Object.hasOwn(data, name))) return undefined;
  const missing = wanted.filter((name) => !Object.hasOwn(data, name));
  if (missing.length > 0) {
    const message = `Secret ${describePlace(place)} is incomplete: ${missing.join(", ")} missing`;
    throw new CaKubernetesError("secret-incomplete", message);
  }
  const read = (name: string): string => decode(data, name) ?? refuse(place, name);
  const { crl } = layout;
  return {
    certificatePem: read(layout.certificate),
    privateKeyPem: read(layout.key),
    chainPem: layout.chain.map(read).join("\n"),
    rootPem: read(layout.root),
    ...(crl !== undefined && Object.hasOwn(data, crl) ? { crlPem: read(crl) } : {}),
  };
}

/** `<namespace>/<name>`, for messages. */
export function describePlace({ namespace, name }: SecretPlace): string {
  return `${namespace}/${name}`;
}

// As with a directory: `tls.crt` decides, and a Secret with nothing but the other files of a TLS Secret is half of one.
function detectLayout(data: Readonly<Record<string, string>>): Layout {
  if (Object.hasOwn(data, tlsLayout.certificate)) return tlsLayout;
  if (namesOf(istioLayout).some((name) => Object.hasOwn(data, name))) return istioLayout;
  return namesOf(tlsLayout).some((name) => Object.hasOwn(data, name)) ? tlsLayout : istioLayout;
}

function namesOf({ certificate, key, chain, root }: Layout): readonly string[] {
  return [...new Set([certificate, key, ...chain, root])];
}

function holdsCertificate(bundlePem: string, certificatePem: string): boolean {
  try {
    const [wanted] = parseCertificates(certificatePem);
    return parseCertificates(bundlePem).some(
      ({ der }) => wanted !== undefined && Buffer.compare(der, wanted.der) === 0,
    );
  } catch (error) {
    if (error instanceof X509Error) return false;
    throw error;
  }
}

function joinPem(first: string, second: string): string {
  if (first === "" || second.trim() === "") return first === "" ? second : first;
  return first.endsWith("\n") ? first + second : `${first}\n${second}`;
}

function encode(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The file as text, or undefined when it is missing, too long, or no text in base64. */
function decode(data: Readonly<Record<string, string>>, name: string): string | undefined {
  const base64 = Object.hasOwn(data, name) ? data[name] : undefined;
  if (base64 === undefined || base64.length > (maxFileBytes * 4) / 3 + 4) return undefined;
  try {
    return utf8.decode(Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" }));
  } catch {
    return undefined;
  }
}

function refuse(place: SecretPlace, name: string): never {
  throw new CaKubernetesError(
    "secret-malformed",
    `${name} of Secret ${describePlace(place)} is not text of at most 1 MiB`,
  );
}
