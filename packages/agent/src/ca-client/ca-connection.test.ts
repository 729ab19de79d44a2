import { rm, writeFile } from "node:fs/promises";
import { plaintextCredentials, Status, StatusError } from "@signet/grpc";
import type { SubjectAltName } from "@signet/x509";
import { testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CaClientFixture, caClientFixture, codeOf, portOf } from "../testing/ca-client-fixture.ts";
import type { CaEndpoint } from "./ca-endpoint.ts";
import type { TokenFileResult } from "./token-file.ts";

const never = new AbortController().signal;

let at: CaClientFixture;

beforeEach(async () => {
  at = await caClientFixture();
});

afterEach(() => at.close());

describe("the connection to the CA", () => {
  it("is kept from call to call", async () => {
    const client = at.clientFor(await at.startCa());
    for (let n = 0; n < 3; n += 1) await client.createCertificate("csr", 1, never);
    expect(new Set(at.calls.map(({ context }) => context.peer.address)).size).toBe(1);
  });

  it("is made anew after a failure", async () => {
    const client = at.clientFor(await at.startCa());
    const good = at.answer;
    at.answer = async () => {
      throw new StatusError(Status.INTERNAL, "no");
    };
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.INTERNAL);
    at.answer = good;
    await client.createCertificate("csr", 1, never);
    expect(new Set(at.calls.map(({ context }) => context.peer.address)).size).toBe(2);
  });

  it("outlives a call on an earlier one that fails late", async () => {
    const late = Promise.withResolvers<TokenFileResult>();
    const tokens = [late.promise];
    const client = at.clientFor(await at.startCa(), { token: () => tokens.shift() ?? Promise.resolve(at.token) });
    const first = codeOf(client.createCertificate("csr", 1, never));
    while (tokens.length > 0) await new Promise(setImmediate);
    const good = at.answer;
    at.answer = async () => {
      throw new StatusError(Status.INTERNAL, "no");
    };
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.INTERNAL);
    at.answer = good;
    await client.createCertificate("csr", 1, never);
    late.reject(new Error("the disk is gone"));
    await first;
    await client.createCertificate("csr", 1, never);
    expect(new Set(at.calls.slice(1).map(({ context }) => context.peer.address)).size).toBe(1);
  });

  it("survives a restart of the CA on the same port", async () => {
    const first = await at.startCa();
    const client = at.clientFor(first);
    await client.createCertificate("csr", 1, never);
    await first.drain(0);
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    await at.startCa({ port: portOf(first) });
    await client.createCertificate("csr", 1, never);
    expect(at.calls).toHaveLength(2);
  });

  it("needs the CA to be verified by the given root, and follows the file when the root changes", async () => {
    const otherRoot = await testRoot();
    const client = at.clientFor(await at.startCa({ signedBy: otherRoot }));
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    await writeFile(at.rootFile, at.root.pem + otherRoot.pem);
    await client.createCertificate("csr", 1, never);
    expect(at.calls).toHaveLength(1);
    await writeFile(at.rootFile, at.root.pem);
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    expect(at.calls).toHaveLength(1);
  });

  it("stands while the root file is gone or broken, and cannot be made without it", async () => {
    const listener = await at.startCa();
    const client = at.clientFor(listener);
    await client.createCertificate("csr", 1, never);
    await writeFile(at.rootFile, "half of a");
    await client.createCertificate("csr", 1, never);
    await rm(at.rootFile);
    await client.createCertificate("csr", 1, never);
    expect(at.calls).toHaveLength(3);
    expect(new Set(at.calls.map(({ context }) => context.peer.address)).size).toBe(1);
    expect(await codeOf(at.clientFor(listener).createCertificate("csr", 1, never))).toBe("ca-root-unusable");
  });

  it("cannot be made with a root file that holds no certificate", async () => {
    await writeFile(at.rootFile, "junk");
    expect(await codeOf(at.clientFor(await at.startCa()).createCertificate("csr", 1, never))).toBe("ca-root-unusable");
  });

  it.each<[string, string, readonly SubjectAltName[], CaEndpoint["serverNames"], number]>([
    ["the IP address", "127.0.0.1", [{ kind: "ip", value: "127.0.0.1" }], [undefined], 1],
    ["the host name", "localhost", [{ kind: "dns", value: "localhost" }], ["localhost", "istiod.example"], 1],
    ["the second name", "localhost", [{ kind: "dns", value: "istiod.example" }], ["localhost", "istiod.example"], 2],
    ["a name for an IP address", "127.0.0.1", [{ kind: "dns", value: "istiod.example" }], ["istiod.example"], 1],
  ])("verifies %s", async (_title, host, names, serverNames, attempts) => {
    const listener = await at.startCa({ names });
    const client = at.clientFor(listener, {
      endpointParts: { address: { host, port: portOf(listener) }, serverNames },
    });
    for (let n = 1; n < attempts; n += 1) {
      expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    }
    await client.createCertificate("csr", 1, never);
  });

  it("is refused to a CA with another name or another address", async () => {
    const listener = await at.startCa({
      names: [
        { kind: "ip", value: "127.0.0.2" },
        { kind: "dns", value: "other.example" },
      ],
    });
    for (const serverNames of [[undefined], ["istiod.example"]] as const) {
      const client = at.clientFor(listener, { endpointParts: { serverNames } });
      expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
    }
    expect(at.calls).toHaveLength(0);
  });

  it("is plain text only when told so", async () => {
    const listener = await at.startCa({ credentials: plaintextCredentials() });
    await at.clientFor(listener, { endpointParts: { plaintext: true } }).createCertificate("csr", 1, never);
    expect(await codeOf(at.clientFor(listener).createCertificate("csr", 1, never))).toBe(Status.UNAVAILABLE);
  });
});
