import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { expect, test } from "vitest";
import { bindService, type CallEvent, Status, StatusError } from "./index.ts";
import { testPair } from "./testing.ts";

test("unary and bidi", async () => {
  const events: CallEvent[] = [];
  const pair = await testPair(
    [
      bindService(IstioCertificateService, {
        createCertificate: async (request) => {
          if (request.csr === "") throw new StatusError(Status.INVALID_ARGUMENT, "the CSR is missing");
          return { certChain: [request.csr] };
        },
      }),
      bindService(SecretDiscoveryService, {
        async *streamSecrets(requests) {
          for await (const request of requests) yield { nonce: request.responseNonce };
        },
      }),
    ],
    { serve: { onCall: (event) => events.push(event) } },
  );
  const signal = new AbortController().signal;
  const method = IstioCertificateService.method.createCertificate;
  const answer = await pair.channel.unary(method, { csr: "x" }, { deadlineMs: 1000, signal });
  expect(answer.certChain).toEqual(["x"]);
  await expect(pair.channel.unary(method, {}, { deadlineMs: 1000, signal })).rejects.toMatchObject({
    code: Status.INVALID_ARGUMENT,
    message: "the CSR is missing",
  });
  async function* requests() {
    yield { responseNonce: "a" };
    yield { responseNonce: "b" };
  }
  const seen: string[] = [];
  const stream = pair.channel.stream(SecretDiscoveryService.method.streamSecrets, requests(), { signal });
  for await (const response of stream) seen.push(response.nonce);
  expect(seen).toEqual(["a", "b"]);
  expect(events.map((event) => event.code)).toEqual([Status.OK, Status.INVALID_ARGUMENT, Status.OK]);
  await pair.close();
});
