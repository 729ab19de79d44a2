import { issueServingCertificate } from "@signet/ca";
import { systemClock } from "@signet/runtime";
import { certificatePem } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { issuerBundle } from "./testing/issuer-bundle.ts";
import {
  type FakeVault,
  type FakeVaultFault,
  type RunningVaultCa,
  readDocumentedAccess,
  type SeenRequest,
  setVaultStage,
  startFakeVault,
  untilReady,
  type VaultStage,
} from "./testing.ts";

const root = await testRoot();
const never = new AbortController().signal;

let vault: FakeVault;
let stage: VaultStage;

beforeAll(async () => {
  vault = await startFakeVault();
});

afterAll(() => vault.close());

beforeEach(async () => {
  stage = await setVaultStage(vault, readDocumentedAccess());
  await stage.importIssuers(issuerBundle(root));
});

afterEach(async () => {
  vault.setFault(undefined);
  await stage.close();
});

async function open(changes: Parameters<VaultStage["open"]>[0] = {}): Promise<RunningVaultCa> {
  const running = await stage.open({ refreshMs: 3_600_000, ...changes });
  await untilReady(running);
  await running.untilHealth("good");
  return running;
}

const isSign = ({ path }: SeenRequest): boolean => path.includes("/sign/");

/** Of every signature. */
function setSignFault(fault: FakeVaultFault): void {
  vault.setFault((request) => (isSign(request) ? fault : undefined));
}

/** Of the next signatures; those after them go well. */
function setSignFaults(...faults: FakeVaultFault[]): void {
  vault.setFault((request) => (isSign(request) ? faults.shift() : undefined));
}

function calls({ events }: RunningVaultCa): readonly string[] {
  return events.all.flatMap((event) => (event.kind === "called" && event.operation === "sign" ? [event.outcome] : []));
}

describe("an answer of another key", () => {
  it("is not let out", async () => {
    const running = await open();
    const other = (await testLeaf(root)).chain[0];
    const change = (body: unknown): unknown => ({
      data: { ...Object(Reflect.get(Object(body), "data")), certificate: certificatePem(other) },
    });
    setSignFault({ kind: "alter", change });
    await expect(running.issue()).rejects.toMatchObject({
      code: "issued-svid-mismatch",
      message: "certificate is for another public key",
    });
  });
});

describe("a Vault that cannot be reached", () => {
  it.each<[string, FakeVaultFault, string]>([
    ["resets the connection", { kind: "reset" }, "unreachable"],
    ["ends the connection in the middle of its answer", { kind: "truncate" }, "unreachable"],
    ["answers with a page", { kind: "text", status: 200, text: "<html></html>" }, "response-malformed"],
    ["answers with half of JSON", { kind: "text", status: 200, text: '{"data":{"cert' }, "response-malformed"],
    ["answers with another type", { kind: "text", status: 200, text: '{"data":[]}' }, "response-malformed"],
    ["answers without end", { kind: "text", status: 200, text: "x".repeat(2_000_000) }, "response-too-large"],
    [
      "is a standby without an active node",
      { kind: "answer", status: 503, errors: ["no active Vault instance found"] },
      "standby",
    ],
    ["is a standby that says so by status", { kind: "answer", status: 473 }, "standby"],
    ["is behind", { kind: "answer", status: 412, errors: ["required index state not present"] }, "unavailable"],
    ["is overloaded", { kind: "answer", status: 503, errors: ["overloaded, try again later"] }, "unavailable"],
    ["is behind a proxy that has lost it", { kind: "text", status: 502, text: "<html></html>" }, "unavailable"],
  ])("and %s is worth another try", async (_, fault, code) => {
    const running = await open();
    // Twice: a kept connection that ends before any answer had been closed already, and another is tried.
    if (fault.kind === "reset") setSignFaults(fault, fault);
    else setSignFaults(fault);
    const error = running.issue().catch((thrown: unknown) => thrown);
    expect(await error).toMatchObject({ code: "signer-unavailable", cause: { code } });
    expect(await running.outcome()).toBe("issued");
  });

  it("is not asked any more after five failures, and found again without a hand", async () => {
    const running = await open();
    setSignFault({ kind: "answer", status: 503, errors: ["Vault is sealed"] });
    for (let call = 0; call < 20; call += 1) expect(await running.outcome()).toBe("signer-unavailable");
    const asked = calls(running).length;
    expect(asked).toBeGreaterThanOrEqual(5);
    expect(asked).toBeLessThan(20);
    await expect(running.issue()).rejects.toThrow(/Vault is sealed/);
    expect(running.ca.health?.current()).toEqual({ state: "failing", reason: "vault-sealed" });
    vault.setFault(undefined);
    await running.untilIssued();
    await running.untilHealth("good");
    const states = running.events.all.flatMap((event) => (event.kind === "circuitChanged" ? [event.state] : []));
    expect([states[0], states.at(-1)]).toEqual(["open", "closed"]);
  });

  it.each<[string, FakeVaultFault]>([
    ["an internal error", { kind: "answer", status: 500, errors: ["1 error occurred: * error signing"] }],
    ["a certificate that cannot be read", { kind: "text", status: 200, text: '{"data":{"certificate":"?"}}' }],
    ["a refusal", { kind: "answer", status: 400, errors: ["certificate request could not be parsed"] }],
  ])("is asked by others after %s, which one caller may bring about", async (_, fault) => {
    const running = await open();
    setSignFault(fault);
    for (let call = 0; call < 8; call += 1) expect(await running.outcome()).not.toBe("issued");
    expect(calls(running)).toHaveLength(8);
    vault.setFault(undefined);
    expect(await running.outcome()).toBe("issued");
  });

  it("says nothing about other callers when a caller goes away", async () => {
    const running = await open();
    setSignFault({ kind: "late", until: new Promise(() => undefined) });
    for (let call = 0; call < 10; call += 1) {
      const leaving = new AbortController();
      const asked = vault.seen.filter(isSign).length;
      const gone = running.issue(undefined, leaving.signal);
      await running.untilEvents(() => vault.seen.filter(isSign).length > asked);
      leaving.abort(new Error("went away"));
      await expect(gone).rejects.toThrow("went away");
    }
    vault.setFault(undefined);
    expect(await running.outcome()).toBe("issued");
  });
});

describe("a Vault that is slow", () => {
  it("is waited for until the deadline and no longer", async () => {
    const running = await open({ timeoutMs: 150 });
    setSignFaults({ kind: "late", until: new Promise(() => undefined) });
    await expect(running.issue()).rejects.toMatchObject({
      code: "signer-unavailable",
      cause: { code: "deadline-exceeded" },
    });
    expect(await running.outcome()).toBe("issued");
  });

  it("signs when its answer comes in time", async () => {
    const running = await open();
    const late = Promise.withResolvers<void>();
    setSignFaults({ kind: "late", until: late.promise });
    const outcome = running.outcome();
    late.resolve();
    expect(await outcome).toBe("issued");
  });

  it("is asked by so many at a time, and refuses those for whom there is no room to wait", async () => {
    const running = await open({ timeoutMs: 60_000 });
    setSignFault({ kind: "late", until: new Promise(() => undefined) });
    const before = vault.seen.filter(isSign).length;
    const [csr, leaving] = [await running.newCsr(), new AbortController()];
    const refused: unknown[] = [];
    const calls = Array.from({ length: 32 + 1024 + 7 }, () =>
      running.issue(csr, leaving.signal).catch((error: unknown) => refused.push(error)),
    );
    await running.untilEvents(() => refused.length === 7 && vault.seen.filter(isSign).length - before === 32);
    expect(refused).toEqual(Array(7).fill(expect.objectContaining({ code: "overloaded" })));
    leaving.abort();
    await Promise.all(calls);
    vault.setFault(undefined);
    expect(await running.outcome()).toBe("issued");
  });
});

describe("a quota that is used up", () => {
  const quota = (retryAfter?: string): FakeVaultFault => ({
    ...{ kind: "answer", status: 429, errors: ["rate limit quota exceeded"] },
    headers: retryAfter === undefined ? {} : { "Retry-After": retryAfter },
  });

  it("is waited for where Vault says for how long and there is time", async () => {
    const running = await open();
    setSignFaults(quota("1"));
    expect(await running.outcome()).toBe("issued");
    expect(calls(running)).toEqual(["rate-limited", "ok"]);
  });

  it("is waited for a moment where Vault does not say", async () => {
    const running = await open();
    setSignFaults(quota());
    expect(await running.outcome()).toBe("issued");
  });

  it("does not open the circuit", async () => {
    const running = await open({ timeoutMs: 500 });
    setSignFault(quota("1"));
    for (let call = 0; call < 8; call += 1) expect(await running.outcome()).toBe("signer-unavailable");
    expect(calls(running)).toEqual(["rate-limited"]);
    expect(running.ca.health?.current()).toEqual({ state: "degraded", reason: "rate-limited" });
    expect(running.events.all.some(({ kind }) => kind === "circuitChanged")).toBe(false);
  });
});

describe("the namespace", () => {
  it("is named in every call", async () => {
    const before = vault.seen.length;
    const running = await open({ namespace: "mesh/team-1" });
    expect(await running.outcome()).toBe("issued");
    const names = vault.seen
      .slice(before)
      .filter(({ headers }) => headers["x-vault-token"] !== vault.rootToken)
      .map(({ headers }) => headers["x-vault-namespace"]);
    expect(names.length).toBeGreaterThan(4);
    expect(new Set(names)).toEqual(new Set(["mesh/team-1"]));
  });
});

describe("what is sent to Vault", () => {
  it("is the CSR, one name and an end, and no name of the CSR's", async () => {
    const running = await open();
    await running.issue();
    const body = vault.seen.findLast(isSign)?.body ?? {};
    expect(Object.keys(body).sort()).toEqual(["csr", "exclude_cn_from_sans", "format", "not_after", "uri_sans"]);
    expect(body.uri_sans).toEqual(["spiffe://cluster.local/ns/demo/sa/frontend"]);
  });

  it("goes to the serving role for the server's own names", async () => {
    const running = await open();
    const request = { dnsNames: ["istiod.istio-system.svc"], ipAddresses: [], ttlMs: 3_600_000 };
    await issueServingCertificate(request, { signingCa: running.ca, clock: systemClock }, never);
    expect(vault.seen.findLast(isSign)?.path).toBe("pki/sign/signet-serving");
  });
});
