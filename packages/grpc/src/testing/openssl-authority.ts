import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate chain, leaf first, with its key. */
export type Issued = { readonly chainPem: string; readonly privateKeyPem: string };

/** A certificate authority made with openssl, so that these tests do not stand on our own X.509 code. */
export interface OpensslAuthority {
  readonly certificatePem: string;
  /** A leaf for `subjectAltName` in openssl's notation, such as `DNS:localhost,IP:127.0.0.1`. */
  issue(subjectAltName: string, options?: { readonly expired?: boolean; readonly extendedKeyUsage?: string }): Issued;
  /** An authority below this one; the chains it issues carry its own certificate after the leaf. */
  intermediate(name: string): OpensslAuthority;
}

/** A root authority with a P-256 key. */
export function opensslAuthority(name: string): OpensslAuthority {
  return inTemporaryDirectory((directory) => {
    const self = ["req", "-x509", "-subj", `/O=${name}`, "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE"];
    openssl(directory, [...self, ...newKey, "-keyout", "key.pem", "-out", "certificate.pem"]);
    const files = { certificatePem: read(directory, "certificate.pem"), privateKeyPem: read(directory, "key.pem") };
    return authorityOf(files, "");
  });
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

type Signer = { readonly certificatePem: string; readonly privateKeyPem: string };

function authorityOf(signer: Signer, chainAbove: string): OpensslAuthority {
  return {
    certificatePem: signer.certificatePem,
    issue(subjectAltName, { expired = false, extendedKeyUsage = "serverAuth,clientAuth" } = {}) {
      const extensions = `subjectAltName=${subjectAltName}\nextendedKeyUsage=${extendedKeyUsage}\n`;
      const leaf = sign(signer, { subject: "/O=leaf", extensions, days: expired ? "-1" : "1" });
      return { chainPem: leaf.certificatePem + chainAbove, privateKeyPem: leaf.privateKeyPem };
    },
    intermediate(name) {
      const extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
      const below = sign(signer, { subject: `/O=${name}`, extensions, days: "1" });
      return authorityOf(below, below.certificatePem + chainAbove);
    },
  };
}

function sign(signer: Signer, leaf: { subject: string; extensions: string; days: string }): Signer {
  return inTemporaryDirectory((directory) => {
    writeFileSync(join(directory, "ca.pem"), signer.certificatePem);
    writeFileSync(join(directory, "ca-key.pem"), signer.privateKeyPem);
    writeFileSync(join(directory, "extensions"), leaf.extensions);
    openssl(directory, ["req", "-new", "-subj", leaf.subject, ...newKey, "-keyout", "key.pem", "-out", "csr.pem"]);
    const ca = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-extfile", "extensions", "-days", leaf.days];
    openssl(directory, ["x509", "-req", "-in", "csr.pem", ...ca, "-out", "certificate.pem"]);
    return { certificatePem: read(directory, "certificate.pem"), privateKeyPem: read(directory, "key.pem") };
  });
}

function openssl(cwd: string, args: readonly string[]): void {
  execFileSync("openssl", args, { cwd, stdio: "pipe" });
}

function read(directory: string, name: string): string {
  return readFileSync(join(directory, name), "utf8");
}

function inTemporaryDirectory<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "signet-openssl-"));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
