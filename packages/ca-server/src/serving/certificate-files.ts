import { stat } from "node:fs/promises";
import { type Clock, createSource, errorMessage, type Logger, mapSource, readFileCapped } from "@signet/runtime";
import {
  type CertificateChain,
  parseCertificates,
  parsePrivateKey,
  parseTrustBundle,
  serialNumberHex,
  type TrustBundle,
  verifyChain,
} from "@signet/x509";
import { CaServerError } from "../errors.ts";
import { logEvent } from "../log-events.ts";
import type { ServingFiles } from "../settings.ts";
import type { ServingCertificate, ServingPem } from "./serving-certificate.ts";

/** Where istiod finds a certificate that was made for it, say by cert-manager. */
export const wellKnownServingFiles: ServingFiles = {
  certificateFile: "./var/run/secrets/istiod/tls/tls.crt",
  keyFile: "./var/run/secrets/istiod/tls/tls.key",
  rootFile: "./var/run/secrets/istiod/ca/root-cert.pem",
};

const maxFileBytes = 1024 * 1024;
const pollMs = 10_000;

type FileSet = {
  readonly pem: ServingPem;
  readonly roots: TrustBundle;
  readonly chain: CertificateChain;
  readonly texts: readonly string[];
};

/** Returns the files that settings name, else those at the well-known places if all three are there. */
export async function findServingFiles(
  named: ServingFiles | undefined,
  wellKnown: ServingFiles = wellKnownServingFiles,
): Promise<ServingFiles | undefined> {
  if (named !== undefined) return named;
  const present = await Promise.all(Object.values(wellKnown).map((path) => stat(path).catch(() => undefined)));
  return present.includes(undefined) ? undefined : wellKnown;
}

/**
 * Keeps the server's certificate as files have it: they are read every ten seconds, and what has changed is taken over
 * when all three fit together. Otherwise the old set is served on, and that is logged.
 * @throws CaServerError `serving-files-invalid` for the first set
 */
export async function followCertificateFiles(
  files: ServingFiles,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<ServingCertificate> {
  const first = parseFileSet(await readTexts(files), clock.now());
  const published = createSource(first);
  const roots = createSource(first.roots);
  let refused: string | undefined;

  function adopt(set: FileSet): void {
    const { roots: bundle, chain } = set;
    if (bundle.pem !== roots.current()?.pem) roots.publish(bundle);
    published.publish(set);
    logAdopted(logger, chain);
  }

  async function look(): Promise<void> {
    try {
      const texts = await readTexts(files);
      const changed = texts.some((text, index) => text !== published.current()?.texts[index]);
      if (changed) adopt(parseFileSet(texts, clock.now()));
      refused = undefined;
    } catch (error) {
      const why = errorMessage(error);
      if (why !== refused) logEvent(logger, "serving files refused", { error });
      refused = why;
    }
  }

  logAdopted(logger, first.chain);
  return {
    pem: mapSource(published, ({ pem }) => pem),
    notAfter: () => published.current()?.chain[0].notAfter,
    roots,
    task: {
      name: "serving files",
      async run(signal): Promise<void> {
        while (!signal.aborted) {
          await clock.sleep(pollMs, signal);
          await look();
        }
      },
    },
  };
}

function logAdopted(logger: Logger, [leaf]: CertificateChain): void {
  logEvent(logger, "serving files adopted", {
    names: leaf.subjectAltNames.map((name) => ("value" in name ? name.value : name.kind)),
    serialNumber: serialNumberHex(leaf),
    notAfter: leaf.notAfter,
  });
}

/** Certificate, key and roots. */
async function readTexts({ certificateFile, keyFile, rootFile }: ServingFiles): Promise<readonly string[]> {
  const read = async (path: string): Promise<string> => {
    try {
      return (await readFileCapped(path, maxFileBytes)).toString("utf8");
    } catch (error) {
      throw new CaServerError("serving-files-invalid", `${path} cannot be read: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  };
  return await Promise.all([certificateFile, keyFile, rootFile].map(read));
}

function parseFileSet(texts: readonly string[], at: Date): FileSet {
  const [certificateChainPem = "", privateKeyPem = "", rootPem = ""] = texts;
  const [leaf, ...above] = attempt("certificate", () => parseCertificates(certificateChainPem));
  if (leaf === undefined) throw invalid("certificate file holds no certificate");
  const key = attempt("private key", () => parsePrivateKey(privateKeyPem));
  if (!leaf.publicKey.equals(key.publicKey)) throw invalid("private key is not that of the certificate");
  const roots = attempt("root", () => parseTrustBundle(rootPem));
  const chain: CertificateChain = [leaf, ...above];
  const verified = verifyChain({ chain, roots: roots.authorities, at, extendedKeyUsage: "serverAuth" });
  if (verified.kind === "rejected") throw invalid(`certificate does not verify under the roots: ${verified.detail}`);
  return { pem: { certificateChainPem, privateKeyPem }, roots, chain, texts };
}

function attempt<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw invalid(`${what} file cannot be used: ${errorMessage(error)}`);
  }
}

function invalid(problem: string): CaServerError {
  return new CaServerError("serving-files-invalid", `files of the serving certificate: ${problem}`);
}
