import { createSecureContext, type SecureContext } from "node:tls";
import type { Source } from "@signet/runtime";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { TlsError } from "./errors.ts";
import type { WorkloadSvid } from "./workload-svid.ts";

/** An identity in the form that Node's TLS takes. */
export type TlsMaterial = { readonly cert: string; readonly key: string; readonly ca: string };

/** Returns chain, key and all roots; which root counts for whom is said by `authorizePeer`. */
export function tlsMaterialOf({ svid, trustBundles }: WorkloadSvid): TlsMaterial {
  return {
    cert: svid.chain.map(certificatePem).join(""),
    key: privateKeyPem(svid.key, "pkcs8"),
    ca: [...trustBundles.values()].flatMap(({ authorities }) => authorities.map(certificatePem)).join(""),
  };
}

/** Oldest TLS that is spoken; workloads of a mesh speak 1.3. */
export const minVersion = "TLSv1.2";

/** Returns how to get the context of the identity of now; it is made once for each identity. */
export function secureContexts(identity: Source<WorkloadSvid>): () => SecureContext {
  let made: { readonly of: WorkloadSvid; readonly context: SecureContext } | undefined;
  return () => {
    const current = currentIdentity(identity);
    if (made?.of !== current)
      made = { of: current, context: createSecureContext({ ...tlsMaterialOf(current), minVersion }) };
    return made.context;
  };
}

/** @throws TlsError `no-identity` */
export function currentIdentity(identity: Source<WorkloadSvid>): WorkloadSvid {
  const current = identity.current();
  if (current === undefined)
    throw new TlsError("no-identity", "there is no identity yet; wait until the source is ready");
  return current;
}
