import { fakeSigningCa } from "@signet/ca/testing";
import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { parseCertificates } from "@signet/x509";
import { describe, expect, it } from "vitest";
import { callCertificateService } from "./testing/certificate-bench.ts";
import { backend, impersonating, podsOf, proxyPod, workload } from "./testing/node-proxy-bench.ts";

const clock = new FakeClock();

describe("bugs of recent Istio releases, not repeated here", () => {
  it("59768: no leaf outlives its signer", async () => {
    const signingCa = await fakeSigningCa();
    const limit = new Date(clock.now().getTime() + 60_000);
    signingCa.setNotAfterLimit(limit);
    const { leaf } = await callCertificateService({ signingCa, clock });
    expect(leaf?.notAfter).toEqual(limit);
  });

  it("serverca-expand-certs: each element of the answer is one certificate, and the last one the roots", async () => {
    const signingCa = await fakeSigningCa();
    const pem = signingCa.trustBundle.current()?.pem ?? "";
    const sign: typeof signingCa.sign = async (request, signal) => {
      const [leaf] = await signingCa.sign(request, signal);
      return [leaf, ...parseCertificates(pem), ...parseCertificates(pem)];
    };
    const { chain } = await callCertificateService({ signingCa: { ...signingCa, sign }, clock });
    expect(chain.slice(0, -1).map((element) => parseCertificates(element).length)).toEqual([1, 1, 1]);
    expect(chain.at(-1)).toBe(pem);
  });

  it.each([
    ["Kubernetes", "our own name"],
    ["", "no name"],
    ["home", "an alias of our own"],
    ["east", "a remote cluster"],
    ["orient", "an alias of a remote one"],
  ])("49011, 56021: impersonation works with the cluster %j, %s", async (clusterid) => {
    const call = impersonating(backend, podsOf(proxyPod, workload), { clusterid });
    const { code, leaf } = await callCertificateService(call);
    expect(code).toBe("OK");
    expect(leaf?.subjectAltNames).toEqual([{ kind: "uri", value: parseSpiffeId(backend) }]);
  });

  it("certificate-parsing-graceful-failures: an odd block in the roots does not take the others down", async () => {
    const signingCa = await fakeSigningCa();
    const bundle = signingCa.trustBundle.current();
    if (bundle === undefined) throw new Error("no trust bundle");
    signingCa.trustBundle.publish({ ...bundle, pem: `${bundle.pem}# odd\n`, skipped: ["block 2: odd"] });
    expect((await callCertificateService({ signingCa, clock })).code).toBe("OK");
  });

  // The others have tests of their own: reload and its metrics, partial directories, TLS Secrets and `..data` beside
  // `cacerts-directory` and `cacerts-watch`; certificates from files beside `serving/certificate-files`; stricter CSRs of
  // signers and ConfigMaps in @signet/ca-kubernetes.
});
