import { describe, expect, it } from "vitest";
import { caEndpointOf, defaultCaAddress } from "./ca-endpoint.ts";

const istio = { caAddress: defaultCaAddress, caRootCa: "", istiodSan: "", certProvider: "istiod" };
const at = (host: string, port = 15012) => ({ host, port });
const istiod = "istiod.istio-system.svc";

describe("caEndpointOf", () => {
  it.each([
    ["the default address", {}, [istiod]],
    ["the default address under another name", { istiodSan: "istiod.example" }, ["istiod.example"]],
    ["another address", { caAddress: at("ca.example", 443) }, ["ca.example"]],
    [
      "another address, with ISTIOD_SAN",
      { caAddress: at("ca.example"), istiodSan: "a.example" },
      ["a.example", "ca.example"],
    ],
    ["an IP address", { caAddress: at("127.0.0.1") }, [undefined]],
    ["an IP address, with ISTIOD_SAN", { caAddress: at("::1"), istiodSan: "a.example" }, ["a.example", undefined]],
    ["localhost", { caAddress: at("localhost") }, ["localhost", istiod]],
    ["a name within localhost", { caAddress: at("ca.localhost") }, ["ca.localhost", istiod]],
  ])("accepts the right server names: %s", (_title, settings, serverNames) => {
    expect(caEndpointOf({ ...istio, ...settings }).serverNames).toEqual(serverNames);
  });

  it.each([
    ["by default", {}, { kind: "file", path: "./var/run/secrets/istio/root-cert.pem" }],
    ["SYSTEM", { caRootCa: "SYSTEM" }, { kind: "system" }],
    ["a file", { caRootCa: "/etc/root.pem" }, { kind: "file", path: "/etc/root.pem" }],
    ["the provider custom", { certProvider: "custom" }, { kind: "file", path: "./etc/certs/root-cert.pem" }],
    ["a file and the provider custom", { certProvider: "custom", caRootCa: "a" }, { kind: "file", path: "a" }],
  ])("finds the root: %s", (_title, settings, root) => {
    expect(caEndpointOf({ ...istio, ...settings }).root).toEqual(root);
  });

  it("speaks plain text on istiod's port for it and nowhere else", () => {
    expect(caEndpointOf({ ...istio, caAddress: at("localhost", 15010) }).plaintext).toBe(true);
    expect(caEndpointOf({ ...istio, caAddress: at("localhost", 5010) }).plaintext).toBe(false);
  });
});
