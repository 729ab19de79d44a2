import { createPrivateKey, generateKeyPair, type KeyObject, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { TokenIssuerError } from "./token-issuer-error.ts";

/** A signing key, and the instant from which it is the one that signs. */
export type IssuerKey = { readonly kid: string; readonly signsFrom: Date; readonly privateKey: KeyObject };

/** At least one key, by `signsFrom`, the oldest first. All are published. */
export type IssuerKeys = readonly [IssuerKey, ...IssuerKey[]];

/** Longest lifetime of a token, in milliseconds: so long a key stays published after its last signature. */
export const maxTokenTtlMs: number = 7 * 24 * 3_600_000;

/** How long a key signs, in milliseconds, unless said otherwise. */
export const defaultRotationMs: number = 24 * 3_600_000;

// Longer than a verifier of ours waits between two looks at the JWKS, so that no token comes before its key.
const publishLeadMs = 15 * 60_000;
// A verifier's clock may be behind.
const verifierSkewMs = 5 * 60_000;

/** How long before its first signature a key is published: at most half of the rotation. */
export function publishLeadOf(rotationMs: number): number {
  return Math.min(publishLeadMs, rotationMs / 2);
}

/** When the next key has to be made and published. */
export function nextKeyDueAt(keys: IssuerKeys, rotationMs: number): Date {
  return new Date(newestOf(keys).signsFrom.getTime() + rotationMs - publishLeadOf(rotationMs));
}

/** The key that signs at `now`: the newest whose time has come, or the oldest when the clock was set back past all. */
export function signingKeyAt(keys: IssuerKeys, now: Date): IssuerKey {
  return keys.findLast((key) => key.signsFrom <= now) ?? keys[0];
}

/** Makes an RSA private key. */
export type GenerateKey = () => Promise<KeyObject>;

/** An RSA-2048 key, as Kubernetes has it: 50 to 150 ms on the thread pool, once a day. */
export const generateRsaKey: GenerateKey = async () =>
  (await promisify(generateKeyPair)("rsa", { modulusLength: 2048 })).privateKey;

/** Returns a set of one new key that signs from `now` on: there are no older tokens that another would have signed. */
export async function createKeys(now: Date, generateKey: GenerateKey): Promise<IssuerKeys> {
  return [await createKey(now, generateKey)];
}

/**
 * Returns the keys as they should be at `now`, the same array when nothing is due.
 *
 * A new key is added ahead of its time to sign; one that has been succeeded is left out once every token it signed has
 * expired. After a long stop the new key still waits out its lead, and the old one signs until then.
 */
export async function rotateKeys(
  keys: IssuerKeys,
  now: Date,
  { rotationMs, generateKey }: { readonly rotationMs: number; readonly generateKey: GenerateKey },
): Promise<IssuerKeys> {
  if (now < nextKeyDueAt(keys, rotationMs)) return keys;
  const newest = newestOf(keys);
  const earliest = now.getTime() + publishLeadOf(rotationMs);
  const signsFrom = new Date(Math.max(newest.signsFrom.getTime() + rotationMs, earliest));
  const forgottenBefore = now.getTime() - maxTokenTtlMs - verifierSkewMs;
  const [first, ...others] = keys.filter((_, index) => {
    const successor = keys[index + 1];
    return successor === undefined || successor.signsFrom.getTime() > forgottenBefore;
  });
  const added = await createKey(signsFrom, generateKey);
  return first === undefined ? [added] : [first, ...others, added];
}

function newestOf(keys: IssuerKeys): IssuerKey {
  return keys.at(-1) ?? keys[0];
}

async function createKey(signsFrom: Date, generateKey: GenerateKey): Promise<IssuerKey> {
  return { kid: randomBytes(16).toString("hex"), signsFrom, privateKey: await generateKey() };
}

/** The keys as text for a file that only its owner may read. */
export function formatKeys(keys: IssuerKeys): string {
  const entries = keys.map(({ kid, signsFrom, privateKey }) => ({
    kid,
    signsFrom: signsFrom.toISOString(),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }),
  }));
  return `${JSON.stringify({ version: 1, keys: entries }, undefined, 2)}\n`;
}

/**
 * Returns the keys that `formatKeys` wrote.
 * @throws TokenIssuerError `state-damaged`, whose message quotes nothing of the text
 */
export function parseKeys(text: string): IssuerKeys {
  const document = parseJson(text);
  if (!isObject(document) || document.version !== 1 || !Array.isArray(document.keys)) throw damaged("not a key file");
  const [first, ...others] = document.keys.map(parseKey).sort((a, b) => a.signsFrom.getTime() - b.signsFrom.getTime());
  if (first === undefined) throw damaged("no key in it");
  return [first, ...others];
}

function parseKey(entry: unknown): IssuerKey {
  if (!isObject(entry)) throw damaged("a key is not an object");
  const { kid, signsFrom, privateKey } = entry;
  if (typeof kid !== "string" || kid === "") throw damaged("a key has no kid");
  const instant = new Date(typeof signsFrom === "string" ? signsFrom : Number.NaN);
  if (Number.isNaN(instant.getTime())) throw damaged("a key has no signsFrom");
  if (typeof privateKey !== "string") throw damaged("a key has no privateKey");
  return { kid, signsFrom: instant, privateKey: parsePem(privateKey) };
}

function parsePem(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "rsa") return key;
  } catch {
    // OpenSSL's message says nothing that helps, and the text is a secret.
  }
  throw damaged("a privateKey is not an RSA key");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged("not JSON");
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function damaged(what: string): TokenIssuerError {
  return new TokenIssuerError("state-damaged", what);
}
