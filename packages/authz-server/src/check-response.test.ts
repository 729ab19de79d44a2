import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { AuthorizationResult } from "@signet/authorizer";
import { type CheckResponse, CheckResponseSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";
import { describe, expect, test } from "vitest";
import { checkResponseOf, refusedResponse } from "./check-response.ts";

const base: AuthorizationResult = {
  effect: "allow",
  reason: "no-policy",
  audit: [],
  shadow: {},
  upstream: { remove: [], add: [] },
  downstream: [],
};

function respond(result: Partial<AuthorizationResult>): CheckResponse {
  // As Envoy reads it.
  return fromBinary(CheckResponseSchema, toBinary(CheckResponseSchema, checkResponseOf({ ...base, ...result })));
}

function okOf({ httpResponse }: CheckResponse) {
  if (httpResponse.case !== "okResponse") throw new Error("the request is not let through");
  return httpResponse.value;
}

describe("a request that is let through", () => {
  test("has headers set, the later ones of a name added, and those taken away that are not set", () => {
    const ok = okOf(
      respond({
        upstream: {
          remove: ["x-user", "authorization"],
          add: [
            ["x-user", "alice"],
            ["x-a", "1"],
            ["x-a", "2"],
          ],
          path: "/p",
        },
      }),
    );
    expect(ok.headers.map(({ header, append }) => [header?.key, header?.value, append])).toEqual([
      ["x-user", "alice", false],
      ["x-a", "1", false],
      ["x-a", "2", true],
      [":path", "/p", false],
    ]);
    expect(ok.headersToRemove).toEqual(["authorization"]);
  });

  test("has text as text again, and headers for the client", () => {
    const ok = okOf(
      respond({
        upstream: {
          remove: [],
          add: [
            ["x-user", "Zo\u00c3\u00ab"],
            ["x-raw", "\u00ff"],
          ],
        },
        downstream: [["x-down", "1"]],
      }),
    );
    expect(ok.headers.map(({ header }) => header?.value)).toEqual(["Zoë", "\u00ff"]);
    expect(ok.responseHeadersToAdd.map(({ header }) => [header?.key, header?.value])).toEqual([["x-down", "1"]]);
  });

  test("tells later filters what was decided", () => {
    const policy = { namespace: "foo", name: "a" };
    const rule = { policy, ruleIndex: 1, id: "ns[foo]-policy[a]-rule[1]" };
    const { dynamicMetadata, status } = respond({
      reason: "allow-matched",
      policy,
      rule: 1,
      id: rule.id,
      requestPrincipal: "i/s",
      payload: { iss: "i", sub: "s" },
      audit: [rule],
      shadow: { deny: { effect: "deny", rule } },
    });
    expect(status?.code).toBe(0);
    expect(dynamicMetadata).toEqual({
      effect: "allow",
      reason: "allow-matched",
      policy: "foo/a",
      policy_id: rule.id,
      request_principal: "i/s",
      payload: { iss: "i", sub: "s" },
      audit: [rule.id],
      dry_run_deny: "deny",
    });
  });
});

describe("a request that is refused", () => {
  test.each([
    [{ status: 403, body: "RBAC: access denied", headers: [] }, 7],
    [{ status: 401, body: "Jwt is expired", headers: [["www-authenticate", "Bearer"] as const] }, 16],
    [{ status: 302, body: "", headers: [["location", "/login"] as const] }, 7],
    [undefined, 7],
  ])("is answered so: %j", (answer, code) => {
    const response = respond({ effect: "deny", reason: "deny-matched", ...(answer === undefined ? {} : { answer }) });
    expect(response.status?.code).toBe(code);
    if (response.httpResponse.case !== "deniedResponse") throw new Error("the request is let through");
    const { status, body, headers } = response.httpResponse.value;
    expect({ status: status?.code, body }).toEqual({ status: answer?.status ?? 403, body: answer?.body ?? "" });
    expect(headers.map(({ header }) => [header?.key, header?.value])).toEqual(answer?.headers ?? []);
  });

  test("without a decision has no metadata", () => {
    const response = create(CheckResponseSchema, refusedResponse(503, "not now"));
    expect(response.status?.code).toBe(7);
    expect(response.dynamicMetadata).toBeUndefined();
  });
});
