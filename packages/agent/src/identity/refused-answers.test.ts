import { errorCode } from "@signet/runtime";
import { testIntermediate, testKey, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import type { FakeAnswer } from "../testing/fake-ca-client.ts";
import { type Rotation, served, startRotation } from "../testing/rotation-fixture.ts";

const second = 1_000;

const running: Rotation[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((rotation) => rotation.stop()));
});

async function start(options: Parameters<typeof startRotation>[0] = {}): Promise<Rotation> {
  const rotation = await startRotation(options);
  running.push(rotation);
  return rotation;
}

describe("an answer that is not what was asked for", () => {
  it.each<[string, FakeAnswer, string]>([
    ["another key", async (r) => r.issue({ key: await csrOfAnotherKey(r) }), "issued-key-mismatch"],
    ["a chain to another root", async (r) => r.issue({ ca: await testRoot() }), "issued-svid-rejected"],
    ["expired", (r) => r.issue({ notAfter: new Date(r.at.getTime() - 1_000) }), "issued-svid-rejected"],
    [
      "no SPIFFE ID",
      (r) => r.issue({ subjectAltNames: [{ kind: "dns", value: "a.example" }] }),
      "issued-svid-rejected",
    ],
    ["two SPIFFE IDs", (r) => r.issue({ subjectAltNames: twoSpiffeIds }), "issued-svid-rejected"],
    [
      "the intermediate left out",
      async (r) => withoutIntermediate(await issueByIntermediate(r)),
      "issued-svid-rejected",
    ],
  ])("is refused and asked for again: %s", async (_title, answer, code) => {
    const rotation = await start();
    const before = served(rotation);
    rotation.ca.answerWith(answer);
    await rotation.elapse(6 * second);
    expect(rotation.current()).toBe(before);
    expect(errorCode(rotation.failures[0]?.error)).toBe(code);
    rotation.ca.answerWith();
    await rotation.elapse(second);
    expect(rotation.current()).not.toBe(before);
  });

  it("keeps intermediates in the chain and leaves out a root that the CA sends along", async () => {
    const rotation = await start({
      answer: async (request) => {
        const { chain, trustBundle } = await issueByIntermediate(request);
        return { chain: [chain[0], ...chain.slice(1), ...trustBundle.authorities], trustBundle };
      },
    });
    expect(served(rotation).svid.chain).toHaveLength(2);
  });
});

const twoSpiffeIds = [
  { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/frontend" },
  { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/backend" },
] as const;

type Request = Parameters<FakeAnswer>[0];
type Issued = Awaited<ReturnType<FakeAnswer>>;

async function csrOfAnotherKey(request: Request): Promise<Request["csr"]> {
  return { ...request.csr, spki: (await testKey()).spki };
}

async function issueByIntermediate(request: Request): Promise<Issued> {
  const root = await testRoot();
  const intermediate = await testIntermediate(root);
  const key = { ...intermediate.key, spki: request.csr.spki };
  const { chain } = await testLeaf(intermediate, { key, notAfter: new Date(request.at.getTime() + 10 * second) });
  return { chain, trustBundle: root.trustBundle };
}

function withoutIntermediate({ chain, trustBundle }: Issued): Issued {
  return { chain: [chain[0]], trustBundle };
}
