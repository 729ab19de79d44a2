import { describe, expect, test } from "vitest";
import { peerPrincipal } from "./peer-principal.ts";

const spiffeId = "spiffe://cluster.local/ns/shop/sa/cart";

function peer(subjectaltname: string | undefined, authorized = true): string | undefined {
  return peerPrincipal({ authorized, getPeerCertificate: () => ({ subjectaltname }) });
}

describe("peerPrincipal", () => {
  test("is the one URI of a verified certificate", () => {
    expect(peer(`URI:${spiffeId}`)).toBe(spiffeId);
    expect(peer(`DNS:cart.shop, URI:${spiffeId}, IP Address:10.0.0.1`)).toBe(spiffeId);
  });

  test.each([
    ["is not verified", `URI:${spiffeId}`, false],
    ["has two URIs", `URI:${spiffeId}, URI:spiffe://cluster.local/ns/shop/sa/admin`, true],
    ["has a URI of another kind", "URI:https://cluster.local/ns/shop/sa/cart", true],
    ["has a name that Node had to quote", `DNS:"a, URI:${spiffeId}, b"`, true],
    ["has no names", undefined, true],
  ])("is nobody when the certificate %s", (_what, names, authorized) => {
    expect(peer(names, authorized)).toBeUndefined();
  });

  test("is nobody without TLS, or without a certificate", () => {
    expect(peerPrincipal({})).toBeUndefined();
    expect(peerPrincipal({ authorized: true, getPeerCertificate: () => null })).toBeUndefined();
  });
});
