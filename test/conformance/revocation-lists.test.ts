import { certificatePem, parseCertificates, parseRevocationLists, verifyRevocationList } from "@signet/x509";
import { testIntermediate, testLeaf, testRevocationList, testRoot } from "@signet/x509/testing";
import { afterAll, describe, expect, it } from "vitest";
import { findOpenSsl, type OpenSsl } from "./openssl.ts";

const openssl: OpenSsl = findOpenSsl();
const { missing } = openssl;
const because = missing === undefined ? "" : ` (skipped: ${missing})`;

afterAll(() => openssl.close());

const caConfig = `
[req]
distinguished_name = dn
x509_extensions = v3_ca
[dn]
[v3_ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
crl_extensions = crl_ext
[crl_ext]
authorityKeyIdentifier = keyid:always
issuingDistributionPoint = critical, @idp
[idp]
fullname = URI:http://crl.example/ca.crl
`;

const revoked = (serial: string, reason: string): string =>
  `R\t450101000000Z\t260101000000Z${reason}\t${serial}\tunknown\t/CN=gone\n`;

describe.skipIf(missing !== undefined)(`openssl${because}`, () => {
  it.each([
    ["EC", "ec_paramgen_curve:P-256", "", 0],
    ["EC", "ec_paramgen_curve:P-384", revoked("01", ",keyCompromise") + revoked("7FFFFFFFFFFFFFFFFF", ""), 2],
    ["RSA", "rsa_keygen_bits:2048", revoked("02", ""), 1],
  ])("makes lists that are read and verified: %s %s", (algorithm, option, index, count) => {
    const config = openssl.file("ca.cnf", caConfig);
    openssl.file("index.txt", index);
    openssl.file("crlnumber", "0A\n");
    const [key, certificate] = [openssl.path("ca.key"), openssl.path("ca.pem")];
    openssl.run(["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", key]);
    const subject = ["-subj", "/O=Example/CN=CA", "-days", "1"];
    openssl.run(["req", "-x509", "-new", "-key", key, ...subject, "-out", certificate, "-config", config]);
    const pem = openssl.run(["ca", "-config", config, "-gencrl", "-cert", certificate, "-keyfile", key, "-batch"]);
    const [list] = parseRevocationLists(pem);
    const [issuer] = parseCertificates(openssl.run(["x509", "-in", certificate]));
    if (list === undefined || issuer === undefined) throw new Error("openssl made nothing");
    expect(list).toMatchObject({ revokedCount: count, unknownCriticalExtensions: [] });
    expect(list.nextUpdate?.getTime()).toBe(list.thisUpdate.getTime() + 30 * 86_400_000);
    expect(verifyRevocationList(list, issuer)).toEqual({ kind: "verified" });
  });

  it("verifies our lists, and wants one of every CA above the leaf, the root's as well", async () => {
    const rights = { signsRevocationLists: true };
    const root = await testRoot(rights);
    const ca = await testIntermediate(root, rights);
    const { chain } = await testLeaf(ca);
    const [leaf] = chain;
    const verify = (crlPem: string): string =>
      openssl.run([
        ...["verify", "-crl_check_all", "-CAfile", openssl.file("root.pem", root.pem)],
        ...["-untrusted", openssl.file("ca-above.pem", ca.pem), "-CRLfile", openssl.file("crl.pem", crlPem)],
        openssl.file("leaf.pem", certificatePem(leaf)),
      ]);
    const [ofRoot, ofCa] = [testRevocationList(root, { revoked: [1] }), testRevocationList(ca, { revoked: [2] })];
    expect(verify(ofRoot + ofCa)).toMatch(/OK/);
    expect(() => verify(ofCa)).toThrow(/unable to get certificate CRL/);
    expect(() => verify(ofRoot)).toThrow(/unable to get certificate CRL/);
  });
});
