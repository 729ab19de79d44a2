import { create, toBinary } from "@bufbuild/protobuf";
import { type CheckRequest, CheckRequestSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";
import { expect, test } from "vitest";
import { authorizationService } from "./authorization-service.ts";
import type { CheckOutcome } from "./check.ts";

/** What is answered to a question of these octets, and how often somebody was asked to decide. */
async function answerTo(octets: Uint8Array): Promise<{ readonly answer: unknown; readonly asked: number }> {
  let asked = 0;
  const { methods } = authorizationService(async (): Promise<CheckOutcome> => {
    asked += 1;
    return { kind: "failed", onFailure: "allow" };
  });
  const [method] = methods;
  if (method?.kind !== "unary") throw new Error("there is no Check");
  const context = { signal: new AbortController().signal } as Parameters<typeof method.handler>[1];
  return { answer: await method.handler(method.parse(octets), context), asked };
}

function octetsOf(sni: string): Buffer {
  const request: CheckRequest = create(CheckRequestSchema, { attributes: { tlsSession: { sni } } });
  return Buffer.from(toBinary(CheckRequestSchema, request));
}

test("a question that can be read is put, an empty one too", async () => {
  for (const octets of [octetsOf("shop.example"), Buffer.alloc(0)]) {
    expect(await answerTo(octets)).toMatchObject({ answer: { status: { code: 0 } }, asked: 1 });
  }
});

// Envoy sends the server name of a handshake as it came, and takes an error for a failure, which it may let through.
test("one that cannot be read is refused, and no error", async () => {
  const octets = octetsOf("QQQQ");
  octets.fill(0xff, octets.indexOf("QQQQ"));
  for (const unreadable of [octets, Buffer.from([0xff])]) {
    const { answer, asked } = await answerTo(unreadable);
    expect(answer).toMatchObject({
      status: { code: 7 },
      httpResponse: { case: "deniedResponse", value: { status: { code: 403 } } },
    });
    expect(asked).toBe(0);
  }
});
