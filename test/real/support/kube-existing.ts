import { readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { type HttpsAnswer, type HttpsCall, httpsJson } from "@signet/cli/testing";
import type { KubeServer } from "./kube-server.ts";
import { kubeconfigOf } from "./kubeconfig.ts";

/** Connects to the API server that somebody has: the current context of the kubeconfig, whose user must be an administrator. */
export async function connectExistingKube(kubeconfigPath: string): Promise<KubeServer> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  const url = config.getCurrentCluster()?.server;
  if (url === undefined) throw new Error(`KUBECONFIG=${kubeconfigPath} has no current cluster`);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const caPem = textOf(options.ca);
  const { cert, key } = options;
  const clientCertificate =
    cert === undefined || key === undefined
      ? {}
      : { clientCertificate: { certificatePem: textOf(cert), privateKeyPem: textOf(key) } };
  const authorization = new Headers(options.headers as Record<string, string> | undefined).get("authorization");
  const headers = authorization === null ? {} : { authorization };
  const request = (call: HttpsCall): Promise<HttpsAnswer> =>
    httpsJson({ url, caPem, ...clientCertificate }, { ...call, headers: { ...headers, ...call.headers } });
  const version = (await request({ method: "GET", path: "/version" })).textAt("gitVersion");
  const issuer = (await request({ method: "GET", path: "/.well-known/openid-configuration" })).textAt("issuer");
  const afterwards: HttpsCall[] = [];
  return {
    ...{ url, caPem, issuer, version, kubeconfigPath, request },
    afterUse: (call) => afterwards.push(call),
    kubeconfigText: readFileSync(kubeconfigPath, "utf8"),
    kubeconfigFor: (token) => kubeconfigOf({ url, caPem, token }),
    async close() {
      for (const call of afterwards.reverse()) await request(call);
    },
  };
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  throw new Error("the kubeconfig has no certificate authority, or one of a kind that these tests do not know");
}
