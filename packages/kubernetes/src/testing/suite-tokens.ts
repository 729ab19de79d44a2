import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { resources } from "../resources.ts";
import { isRecord } from "../shape.ts";
import { assertFails, eventually, type SuiteIt, type SuiteTest } from "./kubernetes-api-suite.ts";
import { createPod } from "./suite-pods.ts";

const { pods, serviceAccounts } = resources;
const audiences = ["istio-ca"];

/** How tokens are made and judged. */
export function tokenTests(it: SuiteIt): void {
  requestTests(it);
  reviewTests(it);
  bindingTests(it);
}

function requestTests(it: SuiteIt): void {
  it("signs tokens with a key that it publishes", async (given) => {
    const { api, namespace, signal } = given;
    const { token, expiresAt } = await tokenOf(given);
    const discovery = await api.getJson("/.well-known/openid-configuration", signal);
    const jwks = await api.getJson("/openid/v1/jwks", signal);
    const [header = "", payload = "", signature = ""] = token.split(".");
    const { kid } = decode(header);
    const keys: readonly unknown[] = isRecord(jwks) && Array.isArray(jwks.keys) ? jwks.keys : [];
    const key = keys.filter(isRecord).find((candidate) => candidate.kid === kid);
    assert.equal(key?.alg, "RS256");
    const publicKey = createPublicKey({ key: { ...key }, format: "jwk" });
    assert.ok(verify("sha256", Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, "base64url")));
    const claims = decode(payload);
    assert.deepEqual(claims.aud, audiences);
    assert.equal(claims.iss, isRecord(discovery) ? discovery.issuer : undefined);
    assert.equal(claims.sub, `system:serviceaccount:${namespace}:frontend`);
    assert.equal(claims.exp, expiresAt.getTime() / 1000);
    assert.equal(Number(claims.exp) - Number(claims.iat), 600);
  });

  it("refuses tokens for too short, for nobody, and for a pod that is another", async (given) => {
    const { api, namespace, signal } = given;
    const { metadata } = await createPod(given, {});
    const good = { namespace, serviceAccount: "frontend", audiences, expirationSeconds: 600 };
    const bound = (name: string, uid: string) => ({ ...good, boundPod: { name, uid } });
    await assertFails(api.requestToken({ ...good, expirationSeconds: 599 }, signal), "invalid");
    await assertFails(api.requestToken({ ...good, serviceAccount: "nobody" }, signal), "not-found");
    await assertFails(api.requestToken(bound("none", "none"), signal), "not-found");
    await assertFails(api.requestToken(bound(metadata.name, "another"), signal), "conflict");
    await api.create(serviceAccounts, { metadata: { namespace, name: "backend" } }, signal);
    const foreign = { ...bound(metadata.name, metadata.uid ?? ""), serviceAccount: "backend" };
    await assertFails(api.requestToken(foreign, signal), "invalid");
  });
}

function reviewTests(it: SuiteIt): void {
  it("says whose a token is, and for which of the audiences", async (given) => {
    const { api, namespace, signal } = given;
    const { token } = await tokenOf(given);
    const account = await api.read(serviceAccounts, { namespace, name: "frontend" }, signal);
    const { user, ...review } = await api.reviewToken({ token, audiences: [...audiences, "another"] }, signal);
    assert.deepEqual(review, { authenticated: true, audiences });
    assert.equal(user?.username, `system:serviceaccount:${namespace}:frontend`);
    assert.equal(user?.uid, account?.metadata.uid);
    assert.ok(user?.groups.includes("system:serviceaccounts"));
    assert.ok(user?.groups.includes(`system:serviceaccounts:${namespace}`));
    assert.equal(user?.extra.get("authentication.kubernetes.io/pod-name"), undefined);
    assert.match(user?.extra.get("authentication.kubernetes.io/credential-id")?.[0] ?? "", /^JTI=[0-9a-f-]{36}$/);
  });

  it("refuses a token for another audience, one that was changed, and what is none", async (given) => {
    const { api, signal } = given;
    const { token } = await tokenOf(given);
    const [header, payload, signature = ""] = token.split(".");
    const wrong = [
      { token, audiences: ["another"] },
      { token, audiences: [] },
      { token: `${header}.${payload}.${signature.slice(0, -8)}AAAAAAAA`, audiences },
      { token: `${header}.${Buffer.from("{}").toString("base64url")}.${signature}`, audiences },
      { token: "no token", audiences },
      { token: "a.b.c", audiences },
    ];
    for (const request of wrong) {
      const review = await api.reviewToken(request, signal);
      assert.deepEqual(
        { ...review, error: typeof review.error },
        { authenticated: false, audiences: [], error: "string" },
      );
    }
    await assertFails(api.reviewToken({ token: "", audiences }, signal), "invalid");
  });
}

function bindingTests(it: SuiteIt): void {
  it("says which pod on which node a token is bound to", async (given) => {
    const { api, namespace, signal } = given;
    const { metadata } = await createPod(given, { nodeName: "node1" });
    const uid = metadata.uid ?? "";
    const boundPod = { name: metadata.name, uid };
    const request = { namespace, serviceAccount: "frontend", audiences, expirationSeconds: 600, boundPod };
    const { token } = await api.requestToken(request, signal);
    const { user } = await api.reviewToken({ token, audiences }, signal);
    const extra = (name: string) => user?.extra.get(`authentication.kubernetes.io/${name}`);
    assert.deepEqual([extra("pod-name"), extra("pod-uid"), extra("node-name")], [[metadata.name], [uid], ["node1"]]);
    const claims = decode(token.split(".")[1] ?? "");
    const binding = isRecord(claims["kubernetes.io"]) ? claims["kubernetes.io"] : {};
    assert.deepEqual(binding.pod, { name: metadata.name, uid });
    assert.deepEqual(binding.node, { name: "node1" });
    assert.equal(binding.namespace, namespace);
  });

  it("refuses a token once its pod is gone", async (given) => {
    const { api, namespace, signal } = given;
    const { metadata } = await createPod(given, { nodeName: "node1" });
    const boundPod = { name: metadata.name, uid: metadata.uid ?? "" };
    const request = { namespace, serviceAccount: "frontend", audiences, expirationSeconds: 600, boundPod };
    const { token } = await api.requestToken(request, signal);
    await api.remove(pods, { ...metadata, graceSeconds: 0 }, signal);
    // The real server believes what it has just verified for 10 seconds more, so this token has not been shown before.
    await eventually(async () => !(await api.reviewToken({ token, audiences }, signal)).authenticated || undefined);
  });

  it("refuses a token once its service account is gone", async (given) => {
    const { api, namespace, signal } = given;
    const { token } = await tokenOf(given);
    await api.remove(serviceAccounts, { namespace, name: "frontend" }, signal);
    await eventually(async () => !(await api.reviewToken({ token, audiences }, signal)).authenticated || undefined);
  });
}

async function tokenOf({ api, namespace, signal }: SuiteTest): Promise<{ token: string; expiresAt: Date }> {
  await api.create(serviceAccounts, { metadata: { namespace, name: "frontend" } }, signal);
  return api.requestToken({ namespace, serviceAccount: "frontend", audiences, expirationSeconds: 600 }, signal);
}

function decode(part: string): Record<string, unknown> {
  const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  return isRecord(value) ? value : {};
}
