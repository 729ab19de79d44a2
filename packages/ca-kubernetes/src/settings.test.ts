import { parseSettings } from "@signet/runtime";
import { describe, expect, it } from "vitest";
import { caKubernetesSettings } from "./setting-spec.ts";
import { readCaKubernetesSettings } from "./settings.ts";

function read(env: Readonly<Record<string, string>>) {
  const parsed = parseSettings(caKubernetesSettings, { env, args: [] });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  return readCaKubernetesSettings(parsed.values);
}

const ra = { EXTERNAL_CA: "ISTIOD_RA_KUBERNETES_API" };

describe("readCaKubernetesSettings", () => {
  it("has Istio's defaults", () => {
    expect(read({})).toEqual({
      settings: {
        newSecretName: "istio-ca-secret",
        rootConfigMap: "istio-ca-root-cert",
        crlConfigMap: "istio-ca-crl",
        watchNamespaces: [],
      },
      problems: [],
    });
  });

  it("has signers of the cluster sign only when asked to", () => {
    const { settings, problems } = read({ ...ra, K8S_SIGNER: "example.com/mesh", CERT_SIGNER_DOMAIN: "example.com" });
    expect(problems).toEqual([]);
    expect(settings.registrationAuthority).toEqual({
      signerName: "example.com/mesh",
      certSignerDomain: "example.com",
      rootFile: "./etc/external-ca-cert/root-cert.pem",
    });
    expect(read({ K8S_SIGNER: "example.com/mesh" }).settings).not.toHaveProperty("registrationAuthority");
  });

  it("keeps a new CA in cacerts when asked to", () => {
    expect(read({ USE_CACERTS_FOR_SELF_SIGNED_CA: "true" }).settings.newSecretName).toBe("cacerts");
  });

  it.each([
    [ra, "needs K8S_SIGNER or CERT_SIGNER_DOMAIN"],
    [{ K8S_SIGNER: "mesh" }, "K8S_SIGNER"],
    [{ K8S_SIGNER: "example.com/a/b" }, "K8S_SIGNER"],
    [{ K8S_SIGNER: "example.com/Mesh" }, "K8S_SIGNER"],
    [{ CERT_SIGNER_DOMAIN: "example" }, "CERT_SIGNER_DOMAIN"],
    [{ CERT_SIGNER_DOMAIN: "example.com/" }, "CERT_SIGNER_DOMAIN"],
    [{ PILOT_CA_CERT_CONFIGMAP: "Root" }, "PILOT_CA_CERT_CONFIGMAP"],
    [{ PILOT_CRL_CONFIGMAP: "a/b" }, "PILOT_CRL_CONFIGMAP"],
    [{ PILOT_CRL_CONFIGMAP: "istio-ca-root-cert" }, "must be two names"],
    [{ ISTIO_WATCH_NAMESPACE: "good,not.good" }, '"not.good"'],
  ])("has a problem with %j", (env, sentence) => {
    expect(read(env).problems).toEqual([expect.stringContaining(sentence)]);
  });

  it("knows no other external CA", () => {
    expect(parseSettings(caKubernetesSettings, { env: { EXTERNAL_CA: "other" }, args: [] }).kind).toBe("invalid");
  });
});
