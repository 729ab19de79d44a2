import { randomBytes } from "node:crypto";
import { parseSpiffeId } from "@signet/spiffe";
import {
  type Certificate,
  certificatePem,
  createCsr,
  type KeyPair,
  type KeyType,
  parseCertificate,
  parseCsr,
  parsePrivateKey,
  privateKeyPem,
  randomSerialNumber,
  type SvidTemplate,
  selfSignRoot,
  serialNumberHex,
  signLeafAsync,
  verifyChain,
  verifyCsr,
} from "@signet/x509";
import { type TestCa, testIntermediate, testKey, testRoot } from "@signet/x509/testing";
import { afterAll, describe, expect, it } from "vitest";
import { findOpenSsl, type OpenSsl } from "./openssl.ts";

const openssl: OpenSsl = findOpenSsl();
const { missing } = openssl;
const because = missing === undefined ? "" : ` (skipped: ${missing})`;

const caKeys: readonly KeyType[] = ["RSA-2048", "P-256", "P-384"];
const csrKeys: readonly KeyType[] = ["RSA-2048", "P-256", "P-384", "Ed25519"];
const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const now = new Date();
const minutes = (count: number): Date => new Date(now.getTime() + count * 60_000);
const times = (value: Date): string => value.toISOString().slice(0, 19);

afterAll(() => openssl.close());

async function issue(csrPem: string, issuer: TestCa, template: Partial<SvidTemplate> = {}): Promise<Certificate> {
  const csr = parseCsr(csrPem);
  expect(verifyCsr(csr)).toBe(true);
  const der = await signLeafAsync({
    template: {
      spki: csr.spki,
      subjectAltNames: [{ kind: "uri", value: spiffeId }],
      notBefore: minutes(-2),
      notAfter: minutes(60),
      ...template,
    },
    issuer,
    serialNumber: randomSerialNumber(randomBytes),
  });
  return parseCertificate(der);
}

/** Extensions as `openssl x509 -text` prints them, values joined, in order. */
function extensionsOf(pem: string): [string, string][] {
  const text = openssl.run(["x509", "-noout", "-text", "-in", openssl.file("text.pem", pem)]);
  const section = text.slice(text.indexOf("X509v3 extensions:"), text.lastIndexOf("Signature Algorithm:"));
  return [...section.matchAll(/^ {12}(X509v3 [^\n]*?): ?(critical)?\n((?: {16}[^\n]*\n)+)/gm)].map((match) => [
    `${match[1]}${match[2] === undefined ? "" : ", critical"}`,
    (match[3] ?? "").trim().replace(/\s+/g, " "),
  ]);
}

const field = (pem: string, ...options: string[]): string =>
  openssl.run(["x509", "-noout", ...options, "-in", openssl.file("field.pem", pem)]).trim();

function verifyStrictly(leaf: Certificate, issuer: TestCa, purpose: string): string {
  const untrusted = issuer.chain.map(certificatePem).join("");
  return openssl.run([
    ...["verify", "-x509_strict", "-purpose", purpose],
    ...["-CAfile", openssl.file("root.pem", issuer.trustBundle.pem)],
    ...(untrusted === "" ? [] : ["-untrusted", openssl.file("untrusted.pem", untrusted)]),
    openssl.file("leaf.pem", certificatePem(leaf)),
  ]);
}

const signatureAlgorithms: Readonly<Partial<Record<KeyType, string>>> = {
  "RSA-2048": "sha256WithRSAEncryption",
  "P-256": "ecdsa-with-SHA256",
  "P-384": "ecdsa-with-SHA384",
};

describe.skipIf(missing !== undefined)(`openssl${because}`, () => {
  describe.each(caKeys)("with a %s CA", async (caKey) => {
    const root = await testRoot({ type: caKey });
    const intermediate = await testIntermediate(root, { type: caKey, organization: `${caKey} intermediate` });

    describe.each(csrKeys)("and a %s CSR", async (csrKey) => {
      const key = await testKey(csrKey, "workload");
      const csrPem = createCsr({ key, spiffeId });

      it("reads the CSR and finds it signed by its own key", () => {
        const path = openssl.file("csr.pem", csrPem);
        const text = openssl.run(["req", "-verify", "-noout", "-text", "-in", path]);
        expect(text).toMatch(/Requested Extensions:\s+X509v3 Subject Alternative Name: critical\s+URI:spiffe/);
        expect(openssl.run(["req", "-noout", "-subject", "-in", path]).trim()).toBe("subject=O =");
      });

      it.each([
        ["its root", root],
        ["an intermediate", intermediate],
      ])("verifies the certificate strictly, under %s, for both ends of a connection", async (_issuer, issuer) => {
        const leaf = await issue(csrPem, issuer);
        expect(verifyStrictly(leaf, issuer, "sslserver")).toMatch(/leaf\.pem: OK/);
        expect(verifyStrictly(leaf, issuer, "sslclient")).toMatch(/leaf\.pem: OK/);
        const [chain, roots] = [[leaf, ...issuer.chain] as const, issuer.trustBundle.authorities];
        expect(verifyChain({ chain, roots, at: now }).kind).toBe("verified");
      });

      it("reads what the profile says", async () => {
        const leaf = await issue(csrPem, root);
        const pem = certificatePem(leaf);
        const keyIdentifier = root.certificate.subjectKeyIdentifier
          ?.toHex()
          .toUpperCase()
          .replace(/..(?=.)/g, "$&:");
        expect(extensionsOf(pem)).toEqual([
          ["X509v3 Key Usage, critical", "Digital Signature, Key Encipherment"],
          ["X509v3 Extended Key Usage", "TLS Web Server Authentication, TLS Web Client Authentication"],
          ["X509v3 Basic Constraints, critical", "CA:FALSE"],
          ["X509v3 Authority Key Identifier", keyIdentifier],
          ["X509v3 Subject Alternative Name, critical", `URI:${spiffeId}`],
        ]);
        expect(field(pem, "-text")).toContain(`Signature Algorithm: ${signatureAlgorithms[caKey]}`);
        expect(field(pem, "-text")).toContain("Version: 3 (0x2)");
        expect(field(pem, "-subject")).toBe("subject=");
        expect(field(pem, "-issuer")).toBe("issuer=O = cluster.local");
        expect(field(pem, "-serial").toLowerCase()).toBe(`serial=${serialNumberHex(leaf)}`);
        const dates = field(pem, "-dates", "-dateopt", "iso_8601").replaceAll(" ", "T");
        expect(dates).toContain(`notBefore=${times(minutes(-2))}`);
        expect(dates).toContain(`notAfter=${times(minutes(60))}`);
        expect(field(pem, "-pubkey")).toBe(key.publicKey.export({ format: "pem", type: "spki" }).toString().trim());
      });
    });
  });

  describe.each(["RSA-2048", "P-256"] as const)("with a %s self-signed root", async (type) => {
    const key = await testKey(type, "self-signed");

    it("reads Istio's root, and verifies it strictly", async () => {
      const serialNumber = randomSerialNumber(randomBytes);
      const validity = { notBefore: minutes(-1), notAfter: minutes(60) };
      const root = parseCertificate(
        await selfSignRoot({ key, organization: "cluster.local", ...validity, serialNumber }),
      );
      const path = openssl.file("root.pem", certificatePem(root));
      expect(openssl.run(["verify", "-x509_strict", "-CAfile", path, path])).toMatch(/OK/);
      expect(extensionsOf(certificatePem(root))).toEqual([
        ["X509v3 Key Usage, critical", "Certificate Sign"],
        ["X509v3 Basic Constraints, critical", "CA:TRUE"],
        ["X509v3 Subject Key Identifier", expect.stringMatching(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/)],
      ]);
    });
  });
});

describe.skipIf(missing !== undefined)(`what openssl makes${because}`, () => {
  const keyOptions: readonly [KeyType, string[]][] = [
    ["RSA-2048", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]],
    ["P-256", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]],
    ["P-384", ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]],
    ["P-521", ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"]],
    ["Ed25519", ["ED25519"]],
  ];

  it.each(keyOptions)("is read: keys and CSRs of type %s, with names that are never signed", async (type, options) => {
    const keyPath = openssl.path(`${type}.key`);
    openssl.run(["genpkey", "-algorithm", ...options, "-out", keyPath]);
    const csrPem = openssl.run([
      ...["req", "-new", "-key", keyPath, "-subj", "/CN=admin/O=demo", "-addext", "basicConstraints=critical,CA:TRUE"],
      ...["-addext", "subjectAltName=URI:spiffe://other.example/a,DNS:a.example,IP:192.0.2.1,email:a@a.example"],
    ]);
    const csr = parseCsr(csrPem);
    expect(csr.hasCommonName).toBe(true);
    expect(csr.requestedSubjectAltNames).toMatchObject([
      { kind: "uri", value: "spiffe://other.example/a" },
      { kind: "dns", value: "a.example" },
      { kind: "ip", value: "192.0.2.1" },
      { kind: "other", tag: 1 },
    ]);
    const issuer = await testRoot();
    const leaf = await issue(csrPem, issuer, { commonName: spiffeId });
    expect(verifyStrictly(leaf, issuer, "sslclient")).toMatch(/OK/);
    expect(leaf).toMatchObject({ isCa: false, subjectAltNames: [{ kind: "uri", value: spiffeId }] });
    expect(field(certificatePem(leaf), "-subject")).toBe(`subject=CN = ${spiffeId}`);
    expect(parsePrivateKey(openssl.run(["pkey", "-in", keyPath])).spki).toEqual(csr.spki);
  });

  it("is read: a CSR as text before its PEM, and one without attributes", () => {
    const keyPath = openssl.file("text.key", keyText());
    const text = openssl.run(["req", "-new", "-key", keyPath, "-subj", "/O=demo", "-text"]);
    expect(text).toMatch(/^Certificate Request:/);
    expect(verifyCsr(parseCsr(text))).toBe(true);
  });

  it("is verified: a chain with an intermediate that openssl signed", async () => {
    const root = openssl.path("openssl-root.pem");
    const config = openssl.file("ca.cnf", caConfig);
    const rootKey = openssl.file("root.key", keyText());
    openssl.run([
      "req",
      "-x509",
      "-new",
      "-key",
      rootKey,
      "-subj",
      "/CN=root",
      "-days",
      "1",
      "-out",
      root,
      "-config",
      config,
    ]);
    const intermediateKey = await testKey("P-384");
    const csr = openssl.file("i.csr", createCsr({ key: intermediateKey, spiffeId }));
    const signing = [
      "-CA",
      root,
      "-CAkey",
      rootKey,
      "-days",
      "1",
      "-extfile",
      config,
      "-extensions",
      "v3_intermediate",
    ];
    const intermediatePem = openssl.run(["x509", "-req", "-in", csr, "-set_serial", "1", ...signing]);
    const intermediate = parseCertificate(Buffer.from(intermediatePem.replace(/-----[^-]+-----/g, ""), "base64"));
    expect(intermediate).toMatchObject({ isCa: true, pathLength: 0 });
    const issuer: TestCa = {
      ...(await testRoot()),
      certificate: intermediate,
      key: intermediateKey,
      chain: [intermediate],
      trustBundle: { authorities: [], skipped: [], pem: openssl.run(["x509", "-in", root]) },
    };
    const leaf = await issue(createCsr({ key: await testKey(), spiffeId }), issuer);
    expect(verifyStrictly(leaf, issuer, "sslserver")).toMatch(/OK/);
    const rootDer = Buffer.from(issuer.trustBundle.pem.replace(/-----[^-]+-----/g, ""), "base64");
    const result = verifyChain({ chain: [leaf, intermediate], roots: [parseCertificate(rootDer)], at: new Date() });
    expect(result.kind).toBe("verified");
  });

  it.each(["RSA-2048", "P-256", "P-384", "P-521", "Ed25519"] as const)(
    "accepts our %s keys in both forms",
    async (type) => {
      const key: KeyPair = await testKey(type, "exported");
      for (const format of ["traditional", "pkcs8"] as const) {
        const path = openssl.file("ours.key", privateKeyPem(key, format));
        const spki = openssl.run(["pkey", "-in", path, "-pubout"]);
        expect(spki).toBe(key.publicKey.export({ format: "pem", type: "spki" }).toString());
      }
    },
  );
});

const caConfig = `
[req]
distinguished_name = dn
x509_extensions = v3_ca
[dn]
[v3_ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[v3_intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`;

function keyText(): string {
  return openssl.run(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
}
