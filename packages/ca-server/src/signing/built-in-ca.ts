import { CaError, createReloadingCa, loadSelfSignedCa, type SigningCa } from "@signet/ca";
import { openPluggedInSecretCa, openSelfSignedSecretCa, type SecretCa } from "@signet/ca-kubernetes";
import type { KubernetesApi } from "@signet/kubernetes";
import { runGroup } from "@signet/runtime";
import { type CacertsDirectory, readCacertsDirectory } from "../cacerts-directory.ts";
import { watchCacerts } from "../cacerts-watch.ts";
import { openFileState } from "../file-state.ts";
import { logEvent } from "../log-events.ts";
import type { OpenedSigningCa, SigningCaDependencies, SigningCaSettings } from "./opened-signing-ca.ts";
import { createPendingCa } from "./pending-ca.ts";

/**
 * Opens the CA whose key this process holds: the plugged-in one when its directory holds one; else, with a Kubernetes
 * API, the one in the Secret `cacerts` or the self-signed one in a Secret; else the self-signed one of the state
 * directory. A self-signed one is made on the first start and is the same ever after.
 * @throws CaServerError, CaError `ca-material-invalid`, RuntimeError `locked`; what is wrong with a Secret, its task throws
 */
export async function openBuiltInCa(
  settings: SigningCaSettings,
  dependencies: SigningCaDependencies,
): Promise<OpenedSigningCa> {
  const { signing } = settings;
  const { api } = dependencies;
  const plugged = await readCacertsDirectory(signing.rootCaDirectory);
  // Istiod's own self-signed CA, in the Secret that is mounted here; it is read there.
  const generated = api !== undefined && signing.kubernetes.newSecretName === "cacerts" && plugged?.generated;
  if (plugged !== undefined && !generated) return await openPluggedIn(plugged, settings, dependencies);
  return api === undefined
    ? await openSelfSigned(settings, dependencies)
    : openInSecret(settings, { ...dependencies, api });
}

async function openPluggedIn(
  plugged: CacertsDirectory,
  { signing: { rootCaDirectory: directory } }: SigningCaSettings,
  dependencies: SigningCaDependencies,
): Promise<OpenedSigningCa> {
  const { logger, events } = dependencies;
  const signingCa = await namePlace(`plugged-in CA directory ${directory}`, async () =>
    createReloadingCa({ name: "plugged-in", initial: plugged.files }, { ...dependencies, events: events.files }),
  );
  const { keyExposed, keyPath } = plugged;
  if (keyExposed) logEvent(logger, "ca key readable by others", { path: keyPath });
  const watched = { directory, signingCa, keyExposed };
  const task = watchCacerts(watched, { ...dependencies, events: events.files });
  return { ...whole(signingCa), origin: directory, tasks: [task], release: async () => {} };
}

async function openSelfSigned(
  { trustDomain, signing: { stateDirectory, selfSigned } }: SigningCaSettings,
  dependencies: SigningCaDependencies,
): Promise<OpenedSigningCa> {
  const state = await openFileState(stateDirectory);
  try {
    const signingCa = await namePlace(`CA state in ${stateDirectory}`, () =>
      loadSelfSignedCa({ store: state.store, trustDomain, ...selfSigned }, dependencies),
    );
    await state.publishRoot(signingCa.trustBundle.current()?.pem ?? "");
    const release = (): Promise<void> => state.release();
    return { ...whole(signingCa), origin: stateDirectory, tasks: [], release };
  } catch (error) {
    await state.release();
    throw error;
  }
}

/** The API server may be away: the server starts all the same, is not ready, and the task opens the CA when it can. */
function openInSecret(
  settings: SigningCaSettings,
  dependencies: SigningCaDependencies & { readonly api: KubernetesApi },
): OpenedSigningCa {
  const signingCa = createPendingCa();
  const task = {
    name: "ca in secret",
    async run(signal: AbortSignal): Promise<void> {
      const opened = await openSecret(settings, dependencies, signal);
      signingCa.settle(opened.signingCa);
      logEvent(dependencies.logger, "signing ca opened", { signingCa: opened.signingCa.name, origin: opened.secret });
      await runGroup([opened.task], signal);
    },
  };
  const origin = `Secrets of namespace ${settings.namespace}`;
  return { ...whole(signingCa), origin, tasks: [task], release: async () => {} };
}

async function openSecret(
  { trustDomain, namespace, signing: { kubernetes, selfSigned } }: SigningCaSettings,
  { api, events, ...dependencies }: SigningCaDependencies & { readonly api: KubernetesApi },
  signal: AbortSignal,
): Promise<SecretCa> {
  const withEvents = { ...dependencies, events: events.files };
  const name = kubernetes.newSecretName;
  const plugged = { api, namespace, name: "cacerts", skipGenerated: name === "cacerts" };
  const found = await openPluggedInSecretCa(plugged, withEvents, signal);
  if (found !== undefined) return found;
  return await openSelfSignedSecretCa({ api, namespace, name, trustDomain, ...selfSigned }, withEvents, signal);
}

/** A CA that signs for workloads and for the server alike. */
function whole(signingCa: SigningCa): Pick<OpenedSigningCa, "signingCa" | "servingCa" | "probe"> {
  return { signingCa, servingCa: signingCa, probe: "canary" };
}

/** The core names the part of a CA that is wrong; an operator has to know where it lies. */
async function namePlace<T>(place: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof CaError)) throw error;
    throw new CaError(error.code, `${place}: ${error.message}`, { cause: error.cause });
  }
}
