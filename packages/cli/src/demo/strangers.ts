import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Certificate,
  encodePem,
  generateKeyPair,
  type KeyPair,
  parseCertificate,
  parseCertificates,
  parsePrivateKey,
  privateKeyPem,
  randomSerialNumber,
  selfSignRoot,
  signLeafAsync,
} from "@signet/x509";
import { demoSpiffeId } from "./demo-workload.ts";
import type { RefusalCounts } from "./sidecar.ts";

/** A certificate chain and key in PEM, as a TLS client wants them. */
export type ClientCredentials = { readonly certificateChainPem: string; readonly privateKeyPem: string };

/** Someone who knocks at the backend's sidecar. */
export type Caller = { readonly name: string; readonly credentials: ClientCredentials | undefined };

/** Someone who must be refused, and the count that the sidecar keeps of such refusals. */
export type Stranger = Caller & { readonly reason: keyof RefusalCounts };

type Issuer = { readonly certificate: Certificate; readonly key: KeyPair };

const minuteMs = 60_000;

/**
 * The three strangers, and one caller who must be let in, without whom a refusal would prove nothing.
 *
 * The demo's own CA would never issue the third one's certificate, so it is signed with the key in the state directory.
 */
export async function createStrangers(
  stateDirectory: string,
): Promise<{ readonly strangers: readonly Stranger[]; readonly control: Caller }> {
  const ourRoot = await readCa(stateDirectory);
  const foreignRoot = await createRoot("stranger.example");
  return {
    strangers: [
      { name: "someone without a certificate", credentials: undefined, reason: "noCertificate" },
      {
        name: "a workload of another trust domain, under another root",
        credentials: await issue(foreignRoot, "spiffe://stranger.example/ns/demo/sa/frontend"),
        reason: "untrustedChain",
      },
      {
        name: "a workload of another trust domain, under the same root",
        credentials: await issue(ourRoot, "spiffe://stranger.example/ns/demo/sa/frontend"),
        reason: "wrongName",
      },
    ],
    control: { name: "the frontend", credentials: await issue(ourRoot, demoSpiffeId("frontend")) },
  };
}

async function readCa(stateDirectory: string): Promise<Issuer> {
  const state = JSON.parse(await readFile(join(stateDirectory, "ca", "ca.json"), "utf8")) as Readonly<
    Record<"certificatePem" | "privateKeyPem", string>
  >;
  const [certificate] = parseCertificates(state.certificatePem);
  if (certificate === undefined) {
    throw new Error(`no CA certificate in ${stateDirectory}`);
  }
  return { certificate, key: parsePrivateKey(state.privateKeyPem) };
}

async function createRoot(organization: string): Promise<Issuer> {
  const key = await generateKeyPair("P-256");
  const der = await selfSignRoot({ key, organization, ...validity(), serialNumber: randomSerialNumber(randomBytes) });
  return { certificate: parseCertificate(der), key };
}

async function issue(issuer: Issuer, spiffeId: string): Promise<ClientCredentials> {
  const key = await generateKeyPair("P-256");
  const der = await signLeafAsync({
    template: { spki: key.spki, subjectAltNames: [{ kind: "uri", value: spiffeId }], ...validity() },
    issuer,
    serialNumber: randomSerialNumber(randomBytes),
  });
  return { certificateChainPem: encodePem("CERTIFICATE", der), privateKeyPem: privateKeyPem(key, "pkcs8") };
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 2 * minuteMs), notAfter: new Date(Date.now() + 10 * minuteMs) };
}
