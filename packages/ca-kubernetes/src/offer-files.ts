import { CaError, type CaFiles, createReloadingCa, type ReloadingCa } from "@signet/ca";
import { CaKubernetesError } from "./errors.ts";
import type { SecretCaDependencies } from "./secret-ca.ts";
import { describePlace, type SecretPlace } from "./secret-layout.ts";

/**
 * Offers a CA the files that `read` returns, and returns whether it now signs with them. A Secret without a set of files
 * is refused like a bad set.
 */
export function offerFiles(signingCa: ReloadingCa, place: SecretPlace, read: () => CaFiles | undefined): boolean {
  try {
    const files = read();
    if (files !== undefined) return signingCa.offer(files).kind !== "refused";
    signingCa.refuse(new CaError("ca-material-invalid", `Secret ${describePlace(place)} holds no CA any more`));
  } catch (error) {
    if (!(error instanceof CaKubernetesError)) throw error;
    signingCa.refuse(new CaError("ca-material-invalid", error.message, { cause: error }));
  }
  return false;
}

/**
 * Returns a CA that signs with the files of a Secret until others are offered.
 * @throws CaError `ca-material-invalid`, naming the Secret and the file
 */
export function openFiles(
  opened: { readonly name: "plugged-in" | "self-signed"; readonly files: CaFiles; readonly place: SecretPlace },
  dependencies: Pick<SecretCaDependencies, "clock" | "randomBytes" | "events">,
): ReloadingCa {
  const { name, files, place } = opened;
  try {
    return createReloadingCa({ name, initial: files }, dependencies);
  } catch (error) {
    if (!(error instanceof CaError)) throw error;
    // The core names the file that is wrong; an operator has to know where it lies.
    throw new CaError(error.code, `Secret ${describePlace(place)}: ${error.message}`, { cause: error.cause });
  }
}
