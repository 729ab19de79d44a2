import { createAdmission } from "@signet/ca";
import { createCsrSigningCa, readExternalRoot } from "@signet/ca-kubernetes";
import type { KubernetesApi } from "@signet/kubernetes";
import { constantSource, RuntimeError } from "@signet/runtime";
import { openBuiltInCa } from "./built-in-ca.ts";
import type { OpenedSigningCa, SigningCaDependencies, SigningCaSettings } from "./opened-signing-ca.ts";

/** A signature through the CSR API is four calls and a wait. */
const signatures = { maxConcurrent: 256, maxQueued: 1_024 };

/**
 * Opens what istiod would sign with: the cluster's own signers where `EXTERNAL_CA` says so, else the built-in CA.
 *
 * Beside the cluster's signers, who sign for workloads, the built-in CA signs the server's own certificate, unless that
 * comes from files.
 */
export async function openIstioCa(
  settings: SigningCaSettings,
  dependencies: SigningCaDependencies,
): Promise<OpenedSigningCa> {
  const { registrationAuthority } = settings.signing.kubernetes;
  if (registrationAuthority === undefined) return await openBuiltInCa(settings, dependencies);
  const { api } = dependencies;
  if (api === undefined) throw new RuntimeError("argument-invalid", "EXTERNAL_CA needs a Kubernetes API");
  const signers = await openSigners(settings, registrationAuthority, { ...dependencies, api });
  if (settings.servingFiles !== undefined) return signers;
  const builtIn = await openBuiltInCa(settings, dependencies);
  return {
    ...signers,
    servingCa: builtIn.servingCa,
    tasks: [...signers.tasks, ...builtIn.tasks],
    release: () => builtIn.release(),
  };
}

type RegistrationAuthority = NonNullable<SigningCaSettings["signing"]["kubernetes"]["registrationAuthority"]>;

async function openSigners(
  { trustDomain, meshCaCertificates }: SigningCaSettings,
  { rootFile, ...signers }: RegistrationAuthority,
  { api, clock, random, randomBytes, events }: SigningCaDependencies & { readonly api: KubernetesApi },
): Promise<OpenedSigningCa> {
  const rootPem = await readExternalRoot({ rootFile, ...signers });
  const meshCertificates = meshCaCertificates.flatMap(({ pem, certSigners }) =>
    pem === undefined ? [] : [{ pem, certSigners }],
  );
  const signingCa = createCsrSigningCa(
    {
      ...{ api, trustDomain, ...signers, meshCertificates: constantSource(meshCertificates) },
      ...(rootPem !== undefined && { rootPem }),
    },
    { clock, random, randomBytes, events: events.csr },
  );
  return {
    signingCa,
    servingCa: signingCa,
    signerFor: (certSigner, signal) => signingCa.signerFor(certSigner, signal),
    // Each canary would be an object in the cluster, and without K8S_SIGNER nobody would sign it.
    probe: "health",
    rootsByCaller: signers.signerName === undefined,
    admission: createAdmission(signatures),
    origin: `signers of ${api.server}`,
    tasks: [signingCa.task],
    release: async () => {},
  };
}
