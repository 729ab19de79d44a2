import { CaError, createPluggedInCa, loadSelfSignedCa, type SigningCa } from "@signet/ca";
import type { Clock, Logger } from "@signet/runtime";
import type { TrustDomain } from "@signet/spiffe";
import { readCacertsDirectory } from "./cacerts-directory.ts";
import { openFileState } from "./file-state.ts";
import { logEvent } from "./log-events.ts";
import type { SigningSettings } from "./settings/read-signing.ts";
import type { CaServerSettings } from "./settings.ts";

/** A signing CA, where it came from, and what to do when it is no longer used. */
export type OpenedSigningCa = {
  readonly signingCa: SigningCa;
  /** Directory of its key. */
  readonly origin: string;
  release(): Promise<void>;
};

/**
 * Opens the CA that signs: the plugged-in one when its directory holds one, else the self-signed one of the state
 * directory, which is made on the first start and is the same ever after.
 * @throws CaServerError, CaError `ca-material-invalid`, RuntimeError `locked`
 */
export async function openSigningCa(
  { trustDomain, signing }: Pick<CaServerSettings, "trustDomain" | "signing">,
  dependencies: {
    readonly clock: Clock;
    readonly randomBytes: (size: number) => Uint8Array;
    readonly logger: Logger;
  },
): Promise<OpenedSigningCa> {
  const { logger } = dependencies;
  const settings = { ...signing, trustDomain };
  const plugged = await readCacertsDirectory(settings.rootCaDirectory);
  const opened =
    plugged === undefined
      ? await openSelfSigned(settings, dependencies)
      : {
          signingCa: await namePlace(`plugged-in CA directory ${settings.rootCaDirectory}`, async () =>
            createPluggedInCa(plugged.files, dependencies),
          ),
          origin: settings.rootCaDirectory,
          release: async () => {},
        };
  if (plugged?.keyExposed) logEvent(logger, "ca key readable by others", { path: plugged.keyPath });
  return opened;
}

async function openSelfSigned(
  { stateDirectory, trustDomain, selfSigned }: SigningSettings & { readonly trustDomain: TrustDomain },
  dependencies: Parameters<typeof openSigningCa>[1],
): Promise<OpenedSigningCa> {
  const state = await openFileState(stateDirectory);
  try {
    const signingCa = await namePlace(`CA state in ${stateDirectory}`, () =>
      loadSelfSignedCa({ store: state.store, trustDomain, ...selfSigned }, dependencies),
    );
    await state.publishRoot(signingCa.trustBundle.current()?.pem ?? "");
    return { signingCa, origin: stateDirectory, release: () => state.release() };
  } catch (error) {
    await state.release();
    throw error;
  }
}

/** The core names the part of a CA that is wrong; an operator has to know where it lies. */
async function namePlace(place: string, open: () => Promise<SigningCa>): Promise<SigningCa> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof CaError)) throw error;
    throw new CaError(error.code, `${place}: ${error.message}`, { cause: error.cause });
  }
}
