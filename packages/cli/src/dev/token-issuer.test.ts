import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createJwksSource, createJwtVerifier, decodeJwtUnverified, type JwtResult } from "@signet/jwt";
import { testSigningKey } from "@signet/jwt/testing";
import { errorCode, type Logger } from "@signet/runtime";
import { FakeClock, fakeLogger } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadTokenSigner, startTokenIssuer, type TokenIssuer } from "./token-issuer.ts";
import { readIssuerKeys, tokenIssuerFiles, writeIssuerUrl } from "./token-issuer-files.ts";
import type { TokenRequest } from "./token-issuer-token.ts";

const hour = 3_600_000;
const frontend: TokenRequest = { namespace: "demo", serviceAccount: "frontend", audiences: ["istio-ca"], ttlMs: hour };

let stateDirectory: string;
let clock: FakeClock;
let running: TokenIssuer[];
let keysMade: number;

beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), "signet-issuer-"));
  clock = new FakeClock();
  running = [];
  keysMade = 0;
});

afterEach(async () => {
  await Promise.all(running.map((issuer) => issuer.close()));
  await rm(stateDirectory, { recursive: true });
});

async function start(
  changes: { port?: number; rotationMs?: number; logger?: Logger; generateKey?: () => Promise<never> } = {},
): Promise<TokenIssuer> {
  const { logger = fakeLogger(), port = 0, rotationMs, generateKey } = changes;
  const cachedKey = async (): Promise<ReturnType<typeof testSigningKey>> =>
    testSigningKey("RS256", `issuer ${keysMade++}`);
  const issuer = await startTokenIssuer(
    { stateDirectory, port, ...(rotationMs === undefined ? {} : { rotationMs }) },
    { clock, logger, generateKey: generateKey ?? cachedKey },
  );
  running.push(issuer);
  return issuer;
}

/** What a CA server makes of a token; keys are fetched anew. */
async function verify(token: string, issuer: string): Promise<JwtResult> {
  const keys = createJwksSource({ issuer }, { clock, random: () => 0 });
  const issuers = [{ issuer, audiences: ["istio-ca"], keys }];
  return await createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock).verify(token, new AbortController().signal);
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  return await work.then(
    () => "done",
    (error: unknown) => errorCode(error),
  );
}

describe("startTokenIssuer", () => {
  it("issues tokens like Kubernetes, which verify by discovery", async () => {
    const issuer = await start();
    const token = issuer.issueToken(frontend);
    expect(issuer.issuer).toBe(`http://127.0.0.1:${issuer.address.port}`);
    const now = clock.now().getTime() / 1000;
    expect(decodeJwtUnverified(token)).toEqual({
      header: { alg: "RS256", kid: expect.stringMatching(/^[0-9a-f]{32}$/), typ: "JWT" },
      claims: {
        iss: issuer.issuer,
        sub: "system:serviceaccount:demo:frontend",
        aud: ["istio-ca"],
        iat: now,
        nbf: now,
        exp: now + 3600,
        jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
        "kubernetes.io": {
          namespace: "demo",
          serviceaccount: {
            name: "frontend",
            uid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/),
          },
        },
      },
    });
    expect(await verify(token, issuer.issuer)).toMatchObject({
      kind: "verified",
      subject: "system:serviceaccount:demo:frontend",
    });
  });

  it("gives the same account the same uid, and every token its own id", async () => {
    const issuer = await start();
    const [one, two] = [issuer.issueToken(frontend), issuer.issueToken(frontend)].map(
      (t) => decodeJwtUnverified(t).claims,
    );
    expect(one?.["kubernetes.io"]).toEqual(two?.["kubernetes.io"]);
    expect(one?.jti).not.toBe(two?.jti);
  });

  it("publishes public keys only", async () => {
    const issuer = await start();
    const { keys } = JSON.parse(await (await fetch(`${issuer.issuer}/openid/v1/jwks`)).text());
    expect(keys).toEqual([
      { kty: "RSA", n: expect.any(String), e: "AQAB", kid: expect.any(String), alg: "RS256", use: "sig" },
    ]);
    const discovery = await fetch(`${issuer.issuer}/.well-known/openid-configuration`);
    expect(discovery.headers.get("content-type")).toBe("application/json");
    expect(await discovery.json()).toMatchObject({
      issuer: issuer.issuer,
      jwks_uri: `${issuer.issuer}/openid/v1/jwks`,
    });
  });

  it("keeps its files to itself", async () => {
    await start();
    const files = tokenIssuerFiles(stateDirectory);
    const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;
    expect([await modeOf(files.directory), await modeOf(files.keys)]).toEqual([0o700, 0o600]);
    expect(JSON.parse(await readFile(files.issuer, "utf8"))).toEqual({ issuer: running[0]?.issuer });
  });

  it("accepts tokens from before a restart on the same port", async () => {
    const first = await start();
    const token = first.issueToken(frontend);
    await first.close();
    const second = await start({ port: first.address.port });
    expect(second.issuer).toBe(first.issuer);
    expect((await verify(token, second.issuer)).kind).toBe("verified");
    expect(keysMade).toBe(1);
  });

  it("shares its state with no other issuer, and with the next one after it has closed", async () => {
    const first = await start();
    expect(await codeOf(start())).toBe("locked");
    await first.close();
    expect(await codeOf(start())).toBe("done");
  });

  it("leaves no lock behind when it cannot start", async () => {
    const first = await start();
    const other = await mkdtemp(join(tmpdir(), "signet-issuer-"));
    try {
      const elsewhere = { stateDirectory: other, port: first.address.port };
      const dependencies = {
        clock,
        logger: fakeLogger(),
        generateKey: async () => testSigningKey("RS256", "issuer 0"),
      };
      expect(await codeOf(startTokenIssuer(elsewhere, dependencies))).toBe("listen-failed");
      const issuer = await startTokenIssuer({ ...elsewhere, port: 0 }, dependencies);
      await issuer.close();
    } finally {
      await rm(other, { recursive: true });
    }
  });

  it("refuses a damaged key file, and neither replaces nor quotes it", async () => {
    await (await start()).close();
    const { keys } = tokenIssuerFiles(stateDirectory);
    await writeFile(keys, '{"secret"');
    await expect(start()).rejects.toMatchObject({
      code: "state-damaged",
      message: expect.not.stringContaining("secret"),
    });
    expect(await readFile(keys, "utf8")).toBe('{"secret"');
  });

  it.each<[string, Partial<TokenRequest>]>([
    ["a namespace with a colon", { namespace: "a:b" }],
    ["an empty namespace", { namespace: "" }],
    ["a namespace of 64 characters", { namespace: "a".repeat(64) }],
    ["a service account in capitals", { serviceAccount: "Frontend" }],
    ["a service account with an empty label", { serviceAccount: "a..b" }],
    ["a service account with a line break", { serviceAccount: "a\n" }],
    ["no audience", { audiences: [] }],
    ["an empty audience", { audiences: [""] }],
    ["no lifetime", { ttlMs: 0 }],
    ["a lifetime that is no number", { ttlMs: Number.NaN }],
    ["a lifetime past a week", { ttlMs: 168 * hour + 1 }],
  ])("issues no token with %s", async (_, changes) => {
    const issuer = await start();
    expect(() => issuer.issueToken({ ...frontend, ...changes })).toThrow(
      expect.objectContaining({ code: "token-request-invalid" }),
    );
  });
});

describe("key rotation", () => {
  /** Real work happens between the clock's tick and the new key: it is made, and written to disk. */
  async function untilPublished(issuer: TokenIssuer, count: number): Promise<void> {
    const published = async (): Promise<number> => {
      const { keys } = JSON.parse(await (await fetch(`${issuer.issuer}/openid/v1/jwks`)).text());
      return keys.length;
    };
    await expect.poll(published, { timeout: 10_000 }).toBe(count);
  }

  it("publishes a key before it signs, and keeps the old one for the tokens it signed", async () => {
    const issuer = await start({ rotationMs: 24 * hour });
    const stop = new AbortController();
    const task = issuer.task.run(stop.signal).catch((error: unknown) => error);
    const old = issuer.issueToken({ ...frontend, ttlMs: 48 * hour });
    await clock.advance(24 * hour - 10 * 60_000);
    await untilPublished(issuer, 2);
    const kidOf = (token: string): unknown => decodeJwtUnverified(token).header.kid;
    expect(kidOf(issuer.issueToken(frontend))).toBe(kidOf(old));
    await clock.advance(10 * 60_000);
    const fresh = issuer.issueToken(frontend);
    expect(kidOf(fresh)).not.toBe(kidOf(old));
    expect((await verify(old, issuer.issuer)).kind).toBe("verified");
    expect((await verify(fresh, issuer.issuer)).kind).toBe("verified");
    stop.abort(new Error("stop"));
    expect(await task).toEqual(new Error("stop"));
  });

  it("goes on with the keys it has when a new one cannot be made, and tries again", async () => {
    const logger = fakeLogger();
    await (await start()).close();
    const issuer = await start({ logger, generateKey: () => Promise.reject(new Error("no entropy")) });
    const stop = new AbortController();
    const task = issuer.task.run(stop.signal).catch(() => undefined);
    await clock.advance(24 * hour);
    await clock.advance(60_000);
    const failures = logger.lines.filter((line) => line.message === "token issuer keys not rotated");
    expect(failures.length).toBeGreaterThan(1);
    expect((await verify(issuer.issueToken(frontend), issuer.issuer)).kind).toBe("verified");
    stop.abort();
    await task;
  });

  it("makes up for a rotation that was slept through", async () => {
    await (await start()).close();
    clock.jump(100 * hour);
    await start();
    expect((await readIssuerKeys(stateDirectory))?.map((key) => key.signsFrom.toISOString())).toEqual([
      "2026-01-01T00:00:00.000Z",
      "2026-01-05T04:15:00.000Z",
    ]);
  });
});

describe("loadTokenSigner", () => {
  it("signs what the running issuer publishes", async () => {
    const issuer = await start();
    const signer = await loadTokenSigner(stateDirectory, clock);
    const token = signer?.issueToken(frontend) ?? "";
    expect(signer?.issuer).toBe(issuer.issuer);
    expect((await verify(token, issuer.issuer)).kind).toBe("verified");
  });

  it("finds nothing where no issuer ever ran, or only half of one", async () => {
    expect(await loadTokenSigner(join(stateDirectory, "nowhere"), clock)).toBeUndefined();
    await writeIssuerUrl(stateDirectory, "http://127.0.0.1:1");
    expect(await loadTokenSigner(stateDirectory, clock)).toBeUndefined();
  });
});
