import { Status, StatusError } from "@signet/grpc";
import { certificatePem } from "@signet/x509";
import { testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CaClientFixture, caClientFixture, codeOf } from "../testing/ca-client-fixture.ts";

const never = new AbortController().signal;

let at: CaClientFixture;

beforeEach(async () => {
  at = await caClientFixture();
});

afterEach(() => at.close());

describe("a request for a certificate", () => {
  it("sends what Istio's agent sends", async () => {
    const client = at.clientFor(await at.startCa(), { headers: { "x-team": "red" } });
    await client.createCertificate("the csr", 86_400, never);
    const [call] = at.calls;
    expect(call?.request).toMatchObject({ csr: "the csr", validityDuration: 86_400n, metadata: { CertSigner: "" } });
    const metadata = call?.context.metadata;
    expect(metadata?.get("authorization")).toEqual(["Bearer a.b.c"]);
    expect(metadata?.get("clusterid")).toEqual(["Kubernetes"]);
    expect(metadata?.get("x-team")).toEqual(["red"]);
  });

  it("asks for the token anew each time, and goes without one when there is none", async () => {
    const client = at.clientFor(await at.startCa(), { certSigner: "vault" });
    await client.createCertificate("csr", 1, never);
    at.token = { kind: "token", token: "d.e.f" };
    await client.createCertificate("csr", 1, never);
    at.token = { kind: "unavailable", reason: "gone" };
    await client.createCertificate("csr", 1, never);
    const headers = at.calls.map(({ context }) => context.metadata.get("authorization"));
    expect(headers).toEqual([["Bearer a.b.c"], ["Bearer d.e.f"], []]);
    expect(at.tokenProblems).toEqual(["gone"]);
    expect(at.calls[0]?.request.metadata).toEqual({ CertSigner: "vault" });
  });

  it("returns leaf and intermediates, one or more in an element, and the last element as the bundle", async () => {
    const top = await testIntermediate(at.root);
    const issuing = await testIntermediate(top);
    const { chain } = await testLeaf(issuing);
    const [leaf = "", ...above] = chain.map(certificatePem);
    const other = await testRoot();
    const client = at.clientFor(await at.startCa());
    for (const certChain of [[leaf, ...above], [leaf, above.join("")], [leaf + above.join("")]]) {
      at.answer = async () => [...certChain, `# roots\n${at.root.pem}${other.pem}`];
      const issued = await client.createCertificate("csr", 1, never);
      expect(issued.chain.map(certificatePem)).toEqual([leaf, ...above]);
      expect(issued.trustBundle.authorities).toHaveLength(2);
    }
  });

  it.each<[string, (leaf: string) => readonly string[], string]>([
    ["no element", () => [], "ca-response-incomplete"],
    ["only a leaf", (leaf) => [leaf], "ca-response-incomplete"],
    ["no certificate before the root", () => ["", "x"], "ca-response-malformed"],
    ["junk for a leaf", () => ["junk", "junk"], "ca-response-malformed"],
    ["an empty root", (leaf) => [leaf, ""], "ca-response-malformed"],
    ["junk for a root", (leaf) => [leaf, "junk"], "ca-response-malformed"],
  ])("refuses an answer with %s", async (_title, certChain, code) => {
    const { chain } = await testLeaf(at.root);
    at.answer = async () => certChain(certificatePem(chain[0]));
    const client = at.clientFor(await at.startCa());
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(code);
  });

  it("passes on what the CA says, without asking twice", async () => {
    at.answer = async () => {
      throw new StatusError(Status.UNAUTHENTICATED, "request authenticate failure");
    };
    const client = at.clientFor(await at.startCa());
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.UNAUTHENTICATED);
    expect(at.calls).toHaveLength(1);
  });

  it("ends at its deadline, and with its signal", async () => {
    at.answer = () => new Promise(() => {});
    const listener = await at.startCa();
    const client = at.clientFor(listener, { deadlineMs: 100 });
    expect(await codeOf(client.createCertificate("csr", 1, never))).toBe(Status.DEADLINE_EXCEEDED);
    const abort = new AbortController();
    const call = at.clientFor(listener).createCertificate("csr", 1, abort.signal);
    abort.abort();
    expect(await codeOf(call)).toBe(Status.CANCELLED);
  });
});
