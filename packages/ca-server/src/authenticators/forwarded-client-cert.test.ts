import type { PresentedCredentials } from "@signet/ca";
import { parseTrustDomain } from "@signet/spiffe";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCidrList } from "../cidr-list.ts";
import { createForwardedClientCertAuthenticator } from "./forwarded-client-cert.ts";

const never = new AbortController().signal;
const gateway = "10.1.2.3:4711";
const frontend = "spiffe://cluster.local/ns/demo/sa/frontend";
const victim = "spiffe://cluster.local/ns/kube-system/sa/admin";
const authenticator = createForwardedClientCertAuthenticator({
  trustDomain: parseTrustDomain("cluster.local"),
  trustDomainAliases: new Set([parseTrustDomain("old.example")]),
  trustedGateways: parseCidrList(["10.1.0.0/16"]),
});

function authenticate(forwardedClientCert: string | undefined, peerAddress = gateway) {
  const presented: PresentedCredentials = {
    peerAddress,
    transport: "tls",
    ...(forwardedClientCert !== undefined && { forwardedClientCert }),
  };
  return authenticator.authenticate(presented, never);
}

describe("the forwarded client certificate authenticator", () => {
  it("has nothing to say without the header", async () => {
    expect(await authenticate(undefined)).toEqual({ kind: "not-applicable" });
  });

  it.each([
    ["as Envoy writes it", `By=spiffe://cluster.local/ns/x/sa/gw;Hash=0af1;Subject="CN=a,O=b";URI=${frontend}`],
    ["alone", `URI=${frontend}`],
    ["in quotes", `URI="${frontend}"`],
    ["with an empty subject and a name", `Hash=0a;Subject="";URI=${frontend};DNS=a.example;DNS=`],
    ["with a quote in the subject", `Subject="CN=a\\"b;URI=${victim},URI=${victim}\\"";URI=${frontend}`],
    ["behind the elements of earlier hops", `URI=${victim};Hash=1,URI=${victim}, Hash=2;URI=${frontend}`],
    ["behind a quote that an earlier hop left open", `URI=${victim};Subject=",Hash=2;URI=${frontend}`],
    ["behind a quote that an earlier hop left open and escaped", `URI=${victim};Subject="\\,Hash=2;URI=${frontend}`],
    ["behind what is no element", `%%%,,${victim},URI=${frontend}`],
    ["in an old name of the mesh", `URI=spiffe://old.example/ns/demo/sa/frontend`],
  ])("knows the URI of the last element %s", async (_, header) => {
    expect(await authenticate(header)).toEqual({
      kind: "authenticated",
      caller: { spiffeId: frontend, source: "forwarded-client-certificate" },
    });
  });

  it.each(["10.2.0.1:1", "127.0.0.1:1", "[::1]:1", "unix", ""])("does not take the word of peer %j", async (peer) => {
    expect(await authenticate(`URI=${frontend}`, peer)).toMatchObject({ kind: "rejected", reason: "peer-untrusted" });
  });

  it.each<[string, string, string]>([
    ["without a URI", `Hash=0a;Subject="CN=${frontend}";DNS=a.example`, "spiffe-id-invalid"],
    ["with two URIs", `URI=${frontend};URI=${frontend}`, "spiffe-id-invalid"],
    ["with a second URI of other writing", `URI=${frontend};uri=${victim}`, "spiffe-id-invalid"],
    ["with an empty URI", "URI=", "spiffe-id-invalid"],
    ["with another URI", "URI=https://a.example/", "spiffe-id-invalid"],
    ["of another trust domain", "URI=spiffe://other.example/ns/demo/sa/frontend", "trust-domain-foreign"],
    ["whose last hop said nothing", `URI=${frontend},`, "header-malformed"],
    ["that is empty", "", "header-malformed"],
    ["that is no pair", frontend, "header-malformed"],
    ["with text behind a quoted value", `Subject="CN=a"b;URI=${frontend}`, "header-malformed"],
    ["with a quote inside a plain value", `Subject=CN="a";URI=${frontend}`, "header-malformed"],
    ["with a quote left open", `URI=${frontend};Subject="CN=a`, "header-malformed"],
    ["that ends with a separator", `URI=${frontend};`, "header-malformed"],
    ["with a control character", `URI=${frontend}\u0000`, "header-malformed"],
    ["with a letter of no alphabet of headers", `URI=${frontend};Subject="\u00f6"`, "header-malformed"],
    ["that is too large", `Subject="${"a".repeat(65_536)}";URI=${frontend}`, "header-malformed"],
  ])("rejects a header %s", async (_, header, reason) => {
    expect(await authenticate(header)).toMatchObject({ kind: "rejected", reason });
  });

  it("reads a long header of nothing but quotes and backslashes at once", async () => {
    for (const filling of ['"', "\\", '\\"', "\\\\", '",', "=;"]) {
      const header = filling.repeat(65_536 / filling.length);
      expect((await authenticate(header)).kind).toBe("rejected");
    }
  });

  it("takes no name from what came before the gateway's own element", async () => {
    const piece = fc.constantFrom('"', "\\", ",", ";", "=", " ", "URI=", "Subject=", victim, "By=", "Hash=a", "x");
    const own = fc.constantFrom(
      `By=spiffe://cluster.local/ns/x/sa/gw;Hash=0a;Subject="";URI=${frontend}`,
      `Hash=0a;Subject="CN=a\\"b,O=c";URI=${frontend}`,
      `URI=${frontend}`,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), own, async (earlier, appended) => {
        const result = await authenticate(`${earlier.join("")},${appended}`);
        expect(result).toMatchObject({ kind: "authenticated", caller: { spiffeId: frontend } });
      }),
    );
  });
});
