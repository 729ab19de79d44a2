import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { askOverPort, type ClientOptions, type MutualTlsMesh, startMutualTlsMesh } from "./mutual-tls-mesh.ts";

const envoy = await findTestEnvoy();

let mesh: MutualTlsMesh | undefined;
beforeAll(async () => {
  if (envoy.path !== "") mesh = await startMutualTlsMesh(envoy.path);
});
afterAll(async () => await mesh?.stop());

/** What sidecars of the mesh offer for HTTP, what they offer for anything else, and what others offer. */
const alpn = { meshHttp: ["istio-http/1.1", "istio", "http/1.1"], meshTcp: ["istio"], others: ["http/1.1"] };

type Client = "plaintext" | "no certificate" | keyof MutualTlsMesh["clients"];

function options(running: MutualTlsMesh, client: Client, offers: keyof typeof alpn): ClientOptions {
  if (client === "plaintext") return {};
  const pair = client === "no certificate" ? {} : { pair: running.clients[client] };
  return { tls: { alpn: alpn[offers], ...pair } };
}

const nothing = "nothing" as const;

describe.skipIf(envoy.path === "")(`spec 5 in a real Envoy ${envoy.version}${envoy.skipped}`, () => {
  test.each<[keyof MutualTlsMesh["ports"], Client, keyof typeof alpn, number | "nothing"]>([
    ["STRICT", "plaintext", "others", nothing],
    ["STRICT", "own", "meshHttp", 200],
    ["STRICT", "own", "meshTcp", 200],
    ["STRICT", "own", "others", 200],
    ["STRICT", "alias", "meshHttp", 200],
    ["STRICT", "foreign", "meshHttp", nothing],
    ["STRICT", "stranger", "meshHttp", nothing],
    ["STRICT", "no certificate", "meshHttp", nothing],
    ["STRICT", "no certificate", "others", nothing],
    ["PERMISSIVE", "plaintext", "others", 200],
    ["PERMISSIVE", "own", "meshHttp", 200],
    ["PERMISSIVE", "own", "meshTcp", 200],
    ["PERMISSIVE", "foreign", "meshHttp", nothing],
    ["PERMISSIVE", "no certificate", "meshTcp", nothing],
    // Opaque to Envoy: it is the workload that ends this TLS.
    ["PERMISSIVE", "own", "others", 201],
    ["PERMISSIVE", "no certificate", "others", 201],
    ["DISABLE", "plaintext", "others", 200],
    ["DISABLE", "own", "meshHttp", nothing],
    ["port", "plaintext", "others", 200],
    ["port", "own", "meshHttp", nothing],
  ])("%s: %s that offers %s gets %s", async (mode, client, offers, expected) => {
    if (mesh === undefined) throw new Error("there is no mesh");
    expect(await askOverPort(mesh.ports[mode], options(mesh, client, offers))).toBe(expected);
  });
});
