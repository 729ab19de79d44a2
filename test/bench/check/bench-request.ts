import type { MessageInitShape } from "@bufbuild/protobuf";
import { testIssuer } from "@signet/jwt/testing";
import type { CheckRequestSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";

const issuer = testIssuer({ issuer: "https://issuer.example" });

/** The workload that is asked for, and who asks. */
export const workload = "foo/app=httpbin";
export const principal = "spiffe://cluster.local/ns/foo/sa/web-42";

/** The request that one of the policies allows, and the path of one that none does. */
export const authority = "httpbin.foo";
export const path = "/api/42/x?y=1";
export const forbiddenPath = "/api/43/x?y=1";

/** What a token is shown as that the issuer of `jwtDocument` made. */
export const bearer: string = `Bearer ${issuer.sign({ sub: "alice" })}`;

function documentOf(name: string, spec: object, kind = "AuthorizationPolicy"): string {
  return JSON.stringify({ apiVersion: "security.istio.io/v1", kind, metadata: { name, namespace: "foo" }, spec });
}

const policies: readonly string[] = Array.from({ length: 100 }, (_, at) =>
  documentOf(`p${at}`, {
    rules: [
      {
        from: [{ source: { principals: [`cluster.local/ns/foo/sa/web-${at}`] } }],
        to: [{ operation: { methods: ["GET"], paths: [`/api/${at}/*`] } }],
      },
    ],
  }),
);
const jwt = documentOf("jwt", { jwtRules: [{ issuer: issuer.issuer, jwks: issuer.jwks }] }, "RequestAuthentication");

/** A hundred policies, of which one allows the request; and the same with an issuer of tokens. */
export const policyDocuments: string = policies.join("\n---\n");
export const tokenDocuments: string = [...policies, jwt].join("\n---\n");

/** The headers of every request. */
export const headers: Readonly<Record<string, string>> = {
  accept: "application/json",
  "user-agent": "bench",
  "x-request-id": "6b7b1d4e",
  "x-forwarded-proto": "http",
};

/** Returns the request as Envoy asks about it, with headers added. */
export function checkRequestWith(added: Readonly<Record<string, string>>): MessageInitShape<typeof CheckRequestSchema> {
  const socketAddress = { address: "10.0.0.7", portSpecifier: { case: "portValue" as const, value: 41_000 } };
  const http = { method: "GET", scheme: "http", host: authority, path, headers: { ...headers, ...added } };
  return {
    attributes: {
      source: { principal, address: { address: { case: "socketAddress", value: socketAddress } } },
      request: { http },
    },
  };
}
