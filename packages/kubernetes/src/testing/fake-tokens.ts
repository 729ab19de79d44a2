import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from "node:crypto";
import type { Clock } from "@signet/runtime";
import { resources } from "../resources.ts";
import { isRecord } from "../shape.ts";
import { timestamp } from "./fake-objects.ts";
import { badRequest, FakeRefusal, invalidField, notFound } from "./fake-refusal.ts";
import { type FakeStore, keyOf, recordAt, type StoredObject, textAt } from "./fake-store.ts";

/** Who holds a token, or why nobody does. */
export type FakeVerdict =
  | { readonly kind: "user"; readonly user: Readonly<Record<string, unknown>>; readonly audiences: readonly string[] }
  | { readonly kind: "refused"; readonly error: string };

type SigningKey = { readonly kid: string; readonly privateKey: KeyObject; readonly publicKey: KeyObject };

const minExpirationSeconds = 600;

/** Makes and judges service account tokens: JWTs with RS256, bound to what still has to exist. */
export class FakeTokens {
  readonly issuer: string;
  readonly #store: FakeStore;
  readonly #clock: Clock;
  /** Made when they are first needed, since that takes long. */
  #keys: readonly SigningKey[] = [];

  constructor(issuer: string, store: FakeStore, clock: Clock) {
    this.issuer = issuer;
    this.#store = store;
    this.#clock = clock;
  }

  jwks(): unknown {
    const keys = this.#signingKeys().map(({ kid, publicKey }) => {
      const { kty, n, e } = publicKey.export({ format: "jwk" });
      return { use: "sig", kty, kid, alg: "RS256", n, e };
    });
    return { keys };
  }

  rotate(keepOld: boolean): void {
    this.#keys = [newKey(), ...(keepOld ? this.#signingKeys() : [])];
  }

  sign(claims: Readonly<Record<string, unknown>>): string {
    const [{ kid, privateKey }] = this.#signingKeys();
    const input = [{ alg: "RS256", kid }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    const signature = sign("sha256", Buffer.from(input.join(".")), privateKey);
    return [...input, signature.toString("base64url")].join(".");
  }

  /** The answer to a TokenRequest of a service account. */
  request(namespace: string, name: string, body: unknown): unknown {
    const account = this.#store.get("serviceaccounts", keyOf({ namespace, name }));
    if (account === undefined) throw notFound("serviceaccounts", name);
    const spec = recordAt(isRecord(body) ? body : {}, "spec");
    const { expirationSeconds = 3600, audiences, boundObjectRef } = spec;
    if (typeof expirationSeconds !== "number" || expirationSeconds < minExpirationSeconds) {
      const problem = `spec.expirationSeconds: Invalid value: ${expirationSeconds}: may not specify a duration less than 10 minutes`;
      throw invalidField("TokenRequest.authentication.k8s.io", "", problem);
    }
    const pod = isRecord(boundObjectRef) ? this.#boundPod(namespace, name, boundObjectRef) : undefined;
    const nowSeconds = Math.floor(this.#clock.now().getTime() / 1000);
    const exp = nowSeconds + expirationSeconds;
    const node = pod === undefined ? undefined : textAt(recordAt(pod, "spec"), "nodeName");
    const token = this.sign({
      ...{ aud: Array.isArray(audiences) && audiences.length > 0 ? audiences : [this.issuer], exp, iat: nowSeconds },
      ...{ iss: this.issuer, jti: randomUUID() },
      "kubernetes.io": {
        namespace,
        ...(node === undefined ? {} : { node: { name: node } }),
        ...(pod === undefined ? {} : { pod: { name: pod.metadata.name, uid: pod.metadata.uid } }),
        serviceaccount: { name, uid: account.metadata.uid },
      },
      nbf: nowSeconds,
      sub: `system:serviceaccount:${namespace}:${name}`,
    });
    const status = { token, expirationTimestamp: timestamp(new Date(exp * 1000)) };
    return {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name, namespace },
      spec,
      status,
    };
  }

  /** The answer to a TokenReview. */
  review(body: unknown): unknown {
    const spec = recordAt(isRecord(body) ? body : {}, "spec");
    const token = textAt(spec, "token") ?? "";
    if (token === "") throw badRequest("token is required for TokenReview in authentication");
    const asked =
      Array.isArray(spec.audiences) && spec.audiences.length > 0 ? spec.audiences.map(String) : [this.issuer];
    const verdict = this.verify(token, asked);
    const status =
      verdict.kind === "refused"
        ? { user: {}, error: verdict.error }
        : { authenticated: true, user: verdict.user, audiences: verdict.audiences };
    return { kind: "TokenReview", apiVersion: "authentication.k8s.io/v1", metadata: {}, spec, status };
  }

  /** Judges a token for audiences. */
  verify(token: string, asked: readonly string[]): FakeVerdict {
    const refused = (error: string): FakeVerdict => ({ kind: "refused", error });
    const claims = this.#verifySignature(token);
    if (claims === undefined) return refused("invalid bearer token");
    const nowSeconds = this.#clock.now().getTime() / 1000;
    if (typeof claims.exp !== "number" || claims.exp <= nowSeconds) {
      return refused("[invalid bearer token, service account token has expired]");
    }
    if (typeof claims.nbf === "number" && claims.nbf > nowSeconds + 60) {
      return refused("[invalid bearer token, service account token is not valid yet]");
    }
    const audiences = Array.isArray(claims.aud) ? claims.aud.map(String) : [];
    const common = asked.filter((audience) => audiences.includes(audience));
    if (common.length === 0) {
      const lists = `token audiences ${JSON.stringify(audiences)} is invalid for the target audiences ${JSON.stringify(asked)}`;
      return refused(`[invalid bearer token, ${lists}]`);
    }
    return this.#verifyBinding(claims, common);
  }

  #verifyBinding(claims: Readonly<Record<string, unknown>>, audiences: readonly string[]): FakeVerdict {
    const binding = recordAt(claims, "kubernetes.io");
    const namespace = textAt(binding, "namespace") ?? "";
    const { name = "", uid } = recordAt(binding, "serviceaccount");
    const account = this.#store.get("serviceaccounts", keyOf({ namespace, name: String(name) }));
    if (account === undefined) {
      return { kind: "refused", error: `[invalid bearer token, serviceaccounts "${name}" not found]` };
    }
    const pod = isRecord(binding.pod) ? binding.pod : undefined;
    const stored = pod && this.#store.get("pods", keyOf({ namespace, name: String(pod.name) }));
    if (account.metadata.uid !== uid || (pod !== undefined && stored?.metadata.uid !== pod.uid)) {
      return { kind: "refused", error: "[invalid bearer token, service account token has been invalidated]" };
    }
    const node = textAt(recordAt(binding, "node"), "name");
    const prefix = "authentication.kubernetes.io";
    const extra = {
      [`${prefix}/credential-id`]: [`JTI=${claims.jti}`],
      ...(node === undefined ? {} : { [`${prefix}/node-name`]: [node] }),
      ...(pod === undefined ? {} : { [`${prefix}/pod-name`]: [pod.name], [`${prefix}/pod-uid`]: [pod.uid] }),
    };
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
    const username = `system:serviceaccount:${namespace}:${name}`;
    return { kind: "user", user: { username, uid, groups, extra }, audiences };
  }

  #signingKeys(): readonly [SigningKey, ...SigningKey[]] {
    const [first = newKey(), ...older] = this.#keys;
    this.#keys = [first, ...older];
    return [first, ...older];
  }

  #verifySignature(token: string): Record<string, unknown> | undefined {
    const [header = "", payload = "", signature = "", ...rest] = token.split(".");
    if (rest.length > 0) return undefined;
    try {
      const { kid, alg } = parsePart(header);
      const key = this.#keys.find((candidate) => candidate.kid === kid);
      if (key === undefined || alg !== "RS256") return undefined;
      const input = Buffer.from(`${header}.${payload}`);
      if (!verify("sha256", input, key.publicKey, Buffer.from(signature, "base64url"))) return undefined;
      const claims = parsePart(payload);
      return claims.iss === this.issuer ? claims : undefined;
    } catch {
      return undefined;
    }
  }

  #boundPod(namespace: string, account: string, reference: Record<string, unknown>): StoredObject {
    const name = textAt(reference, "name") ?? "";
    const pod = this.#store.get(resources.pods.plural, keyOf({ namespace, name }));
    if (pod === undefined) throw notFound("pods", name);
    if (textAt(recordAt(pod, "spec"), "serviceAccountName") !== account) {
      throw badRequest(
        `cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name.`,
      );
    }
    if (pod.metadata.uid !== reference.uid) {
      const message = `Operation cannot be fulfilled on Pod "${name}": the UID in the bound object reference does not match the UID in record`;
      throw new FakeRefusal(409, message, { reason: "Conflict", details: { name, kind: "Pod" } });
    }
    return pod;
  }
}

function parsePart(part: string): Record<string, unknown> {
  const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  return isRecord(value) ? value : {};
}

function newKey(): SigningKey {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const publicKey = createPublicKey(privateKey);
  const kid = createHash("sha256")
    .update(publicKey.export({ format: "der", type: "spki" }))
    .digest("base64url");
  return { kid, privateKey, publicKey };
}
