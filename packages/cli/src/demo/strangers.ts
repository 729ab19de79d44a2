import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseSpiffeId, type SpiffeId } from "@signet/spiffe";
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
const foreignSpiffeId = parseSpiffeId("spiffe://stranger.example/ns/demo/sa/frontend");

/** Issues a certificate of any name under one root. */
export type IssueCredentials = (spiffeId: SpiffeId) => Promise<ClientCredentials>;

/**
 * The three strangers, and one caller who must be let in, without whom a refusal would prove nothing.
 *
 * The CA server would never issue the third one's certificate, so `issueUnderOurRoot` has to be who owns the CA's key.
 */
export async function createStrangers(
  issueUnderOurRoot: IssueCredentials,
): Promise<{ readonly strangers: readonly Stranger[]; readonly control: Caller }> {
  const foreignRoot = await createRoot("stranger.example");
  return {
    strangers: [
      { name: "someone without a certificate", credentials: undefined, reason: "noCertificate" },
      {
        name: "a workload of another trust domain, under another root",
        credentials: await issue(foreignRoot, foreignSpiffeId),
        reason: "untrustedChain",
      },
      {
        name: "a workload of another trust domain, under the same root",
        credentials: await issueUnderOurRoot(foreignSpiffeId),
        reason: "wrongName",
      },
    ],
    control: { name: "the frontend", credentials: await issueUnderOurRoot(demoSpiffeId("frontend")) },
  };
}

/** Issues with the key that the CA server keeps in its state directory. */
export async function issueFromState(stateDirectory: string): Promise<IssueCredentials> {
  const ourRoot = await readCa(stateDirectory);
  return (spiffeId) => issue(ourRoot, spiffeId);
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

async function issue(issuer: Issuer, spiffeId: SpiffeId): Promise<ClientCredentials> {
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
