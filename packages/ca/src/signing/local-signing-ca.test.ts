import { randomBytes } from "node:crypto";
import { FakeClock } from "@signet/runtime/testing";
import { type TestCa, testIntermediate, testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { filesOf, now, templateOf } from "../testing/test-ca-files.ts";
import { createPluggedInCa } from "./plugged-in-ca.ts";

const signal = new AbortController().signal;
const clock = new FakeClock(now);

const open = (ca: TestCa, root: TestCa) => createPluggedInCa(filesOf(ca, [root]), { clock, randomBytes });

describe("a signing CA whose certificates limit the names below them", () => {
  const permitted = [{ kind: "uri", value: "cluster.local" }] as const;

  it.each<[string, () => Promise<readonly [TestCa, TestCa]>]>([
    ["root", async () => withRoot(await testRoot({ nameConstraints: { permitted } }))],
    [
      "intermediate above",
      async () => {
        const root = await testRoot();
        const upper = await testIntermediate(root, { organization: "upper", nameConstraints: { permitted } });
        return [await testIntermediate(upper), root];
      },
    ],
    [
      "signing certificate",
      async () => {
        const root = await testRoot();
        return [await testIntermediate(root, { nameConstraints: { permitted } }), root];
      },
    ],
  ])("signs what they allow and nothing else: its %s", async (_, make) => {
    const signingCa = open(...(await make()));
    const [leaf] = await signingCa.sign({ template: await templateOf() }, signal);
    expect(leaf.subjectAltNames).toHaveLength(1);
    const template = await templateOf("spiffe://victim.example/ns/demo/sa/frontend");
    await expect(signingCa.sign({ template }, signal)).rejects.toMatchObject({
      name: "CaError",
      code: "name-constrained",
      message: expect.stringMatching(/does not permit URI "spiffe:\/\/victim\.example/),
    });
  });

  it("signs no name of a form that they exclude", async () => {
    const excluded = [{ kind: "dns", value: "" }] as const;
    const root = await testRoot({ nameConstraints: { excluded } });
    const template = {
      ...(await templateOf()),
      subjectAltNames: [{ kind: "dns", value: "istiod.istio-system.svc" } as const],
    };
    await expect(open(root, root).sign({ template }, signal)).rejects.toMatchObject({ code: "name-constrained" });
  });
});

async function withRoot(root: TestCa): Promise<readonly [TestCa, TestCa]> {
  return [await testIntermediate(root), root];
}
