import { errorCode } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { resources } from "./index.ts";
import { fakeKubernetes } from "./testing.ts";

const { pods, secrets } = resources;
const never = new AbortController().signal;
const name = { namespace: "default", name: "a" };

function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(() => "done", errorCode);
}

describe("names", () => {
  it.each([
    ["", "invalid"],
    ["..", "invalid"],
    ["a/../b", "invalid"],
    ["a%2fb", "invalid"],
    ["a?watch=true", "invalid"],
    ["a\nb", "invalid"],
    ["a".repeat(254), "invalid"],
  ])("are refused before they become a path: %j", async (wrong, code) => {
    const { api, cluster } = fakeKubernetes({ clock: new FakeClock() });
    for (const target of [
      { ...name, name: wrong },
      { ...name, namespace: wrong },
    ]) {
      expect(await codeOf(api.read(secrets, target, never))).toBe(code);
      expect(await codeOf(api.remove(secrets, target, never))).toBe(code);
    }
    expect(await codeOf(api.list(secrets, { namespace: wrong }, never))).toBe(code);
    const account = { namespace: "default", serviceAccount: wrong, audiences: [], expirationSeconds: 600 };
    expect(await codeOf(api.requestToken(account, never))).toBe(code);
    expect(cluster.requests).toEqual([]);
  });

  it("are refused without the namespace they need, and with one they have not", async () => {
    const { api } = fakeKubernetes({ clock: new FakeClock() });
    expect(await codeOf(api.read(secrets, { name: "a" }, never))).toBe("invalid");
    expect(await codeOf(api.read(resources.namespaces, name, never))).toBe("invalid");
    expect(await codeOf(api.create(pods, { metadata: { namespace: "default", name: "" } }, never))).toBe("invalid");
    expect(await codeOf(api.getJson("no/path", never))).toBe("invalid");
  });
});
