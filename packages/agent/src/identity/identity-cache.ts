import { lstat, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, isFileMissing, readFileCapped, type Source, type Task, writeFileAtomic } from "@signet/runtime";
import { parseTrustDomain, type TrustDomain, trustDomainOf } from "@signet/spiffe";
import {
  certificatePem,
  parseCertificates,
  parsePrivateKey,
  parseTrustBundle,
  privateKeyPem,
  type TrustBundle,
  verifySvid,
} from "@signet/x509";
import { AgentError } from "../errors.ts";
import type { WorkloadIdentity } from "./workload-identity.ts";

/** A directory in memory that outlives the process and not the machine, with the identity in it. */
export interface IdentityCache {
  /**
   * The identity as it was last written, if it can still be used at `now`: valid, with its own key, verified by its own bundle.
   * Undefined when there is none. @throws AgentError `identity-cache-unusable`
   */
  load(now: Date): Promise<WorkloadIdentity | undefined>;
  /** Writes each identity that `identity` has; what fails is told and tried again with the next one. */
  keep(identity: Source<WorkloadIdentity>, onFailure: (error: unknown) => void): Task;
}

const fileName = "identity.json";
/** Chain and bundles of the largest size, and their base64. */
const maxBytes = 8_388_608;
const version = 1;

/** `f_type` of tmpfs and ramfs (statfs(2)). */
const memoryFileSystems: readonly number[] = [0x0102_1994, 0x8584_58f6];

/**
 * Returns the cache in `directory`, or undefined if there is no such directory: nobody has mounted one.
 *
 * It must be on a file system in memory, since no key of ours is ever written to a disk, and belong to us or root and be
 * writable for nobody else. `purpose` names what the identity is for, and one that was kept for another purpose is not used.
 * @throws AgentError `identity-cache-unusable`
 */
export async function openIdentityCache(
  directory: string,
  { purpose }: { readonly purpose: string },
): Promise<IdentityCache | undefined> {
  try {
    await checkDirectory(directory);
  } catch (error) {
    if (isFileMissing(error)) return undefined;
    throw unusable(`${directory} ${errorMessage(error)}`, error);
  }
  const path = join(directory, fileName);
  return {
    async load(now) {
      try {
        return parseCached((await readPrivate(path)).toString("utf8"), { purpose, now });
      } catch (error) {
        if (isFileMissing(error)) return undefined;
        throw unusable(`${path} ${errorMessage(error)}`, error);
      }
    },
    keep: (identity, onFailure) => ({
      name: "keep identity in memory",
      async run(signal) {
        for await (const next of identity.changes(signal)) {
          await writeFileAtomic(path, serialize(next, purpose), { mode: 0o600 }).catch(onFailure);
        }
      },
    }),
  };
}

async function checkDirectory(directory: string): Promise<void> {
  const { mode, uid } = await stat(directory);
  const ours = process.geteuid?.() ?? uid;
  if (uid !== ours && uid !== 0) throw new Error(`belongs to user ${uid}, and not to ${ours} or root`);
  // In a pod it is an emptyDir of mode 0777 that one container mounts; what counts is that the file in it is ours alone.
  if ((mode & 0o170000) !== 0o040000) throw new Error("is no directory");
  const { type } = await statfs(directory);
  if (!memoryFileSystems.includes(type)) throw new Error("is not in memory (tmpfs), and no key is written to a disk");
}

async function readPrivate(path: string): Promise<Buffer> {
  const stats = await lstat(path);
  if (!stats.isFile()) throw new Error("is no regular file");
  const ours = process.geteuid?.() ?? stats.uid;
  if (stats.uid !== ours || (stats.mode & 0o077) !== 0) throw new Error("can be read or was written by others");
  return await readFileCapped(path, maxBytes);
}

function serialize({ svid, trustBundles, receivedAt }: WorkloadIdentity, purpose: string): string {
  return JSON.stringify({
    version,
    purpose,
    receivedAt: receivedAt.toISOString(),
    chain: svid.chain.map(certificatePem).join(""),
    key: privateKeyPem(svid.key, "pkcs8"),
    trustBundles: [...trustBundles].map(([trustDomain, { pem }]) => ({ trustDomain, pem })),
  });
}

function parseCached(
  text: string,
  { purpose, now }: { readonly purpose: string; readonly now: Date },
): WorkloadIdentity {
  const cached = readCached(text);
  if (cached.purpose !== purpose) throw new Error("holds the identity of another workload, or of another CA");
  const key = parsePrivateKey(cached.key);
  const [leaf, ...rest] = parseCertificates(cached.chain);
  if (leaf === undefined) throw new Error("holds no certificate");
  if (!leaf.publicKey.equals(key.publicKey)) throw new Error("holds a key of another certificate");
  const at = leaf.notBefore > now ? leaf.notBefore : now;
  const result = verifySvid({ chain: [leaf, ...rest], bundles: cached.trustBundles, at });
  if (result.kind === "rejected") throw new Error(`holds no identity that is valid now: ${result.code}`);
  if (!cached.trustBundles.has(trustDomainOf(result.spiffeId))) throw new Error("holds no bundle for the identity");
  const svid = { spiffeId: result.spiffeId, chain: [leaf, ...rest] as const, key };
  return { svid, trustBundles: cached.trustBundles, receivedAt: cached.receivedAt };
}

type Cached = {
  readonly purpose: string;
  readonly receivedAt: Date;
  readonly chain: string;
  readonly key: string;
  readonly trustBundles: ReadonlyMap<TrustDomain, TrustBundle>;
};

function readCached(text: string): Cached {
  const fields = parseJson(text);
  if (fields.version !== version) throw new Error("is of another version");
  const { purpose, receivedAt, chain, key, trustBundles } = fields;
  if (![purpose, receivedAt, chain, key].every((field) => typeof field === "string") || !Array.isArray(trustBundles)) {
    throw new Error("is incomplete");
  }
  return {
    purpose: String(purpose),
    receivedAt: new Date(String(receivedAt)),
    chain: String(chain),
    key: String(key),
    trustBundles: new Map(trustBundles.map(readBundle)),
  };
}

function readBundle(entry: unknown): readonly [TrustDomain, TrustBundle] {
  if (typeof entry !== "object" || entry === null || !("trustDomain" in entry) || !("pem" in entry)) {
    throw new Error("is incomplete");
  }
  return [parseTrustDomain(String(entry.trustDomain)), parseTrustBundle(String(entry.pem))];
}

/** What a JSON parser says quotes what it read, and that may be a key. */
function parseJson(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("is no JSON");
  }
  if (typeof value !== "object" || value === null) throw new Error("is no JSON object");
  return { ...value };
}

function unusable(message: string, cause: unknown): AgentError {
  return new AgentError("identity-cache-unusable", message, { cause });
}
