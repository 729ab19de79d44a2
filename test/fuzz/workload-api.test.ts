import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { X509BundlesResponseSchema, X509SVIDResponseSchema } from "@signet/protos/spiffe/workload/workload";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AgentUnderTest, startAgentUnderTest } from "../e2e/support/agent-under-test.ts";
import { fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";

const methods = ["FetchX509SVID", "FetchX509Bundles", "FetchJWTSVID", "FetchJWTBundles", "ValidateJWTSVID", "Fetch"];
const streamed = methods.slice(0, 2);

const call = fc.record({
  method: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...streamed) },
    { weight: 1, arbitrary: fc.constantFrom(...methods) },
  ),
  /** Values of the mandatory header. */
  header: fc.oneof(
    { weight: 2, arbitrary: fc.constant(["true"]) },
    { weight: 1, arbitrary: fc.constantFrom([], ["false"], ["True"], ["TRUE"], ["1"], ["truetrue"], ["true", "true"]) },
  ),
  requests: fc.oneof(
    { weight: 2, arbitrary: fc.constant([new Uint8Array(0)]) },
    { weight: 1, arbitrary: fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant([new Uint8Array(6_000)]) },
  ),
});
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

describe("the Workload API of an agent, whatever comes", () => {
  let under: AgentUnderTest;
  let client: Client;

  beforeAll(async () => {
    under = await startAgentUnderTest({ SECRET_TTL: "1h" });
    while (!existsSync(under.workloadApiSocket)) await sleep(20);
    client = new Client(`unix:${under.workloadApiSocket}`, credentials.createInsecure());
    await ask({ method: "FetchX509SVID", header: ["true"], requests: [new Uint8Array(0)] });
  });

  afterAll(async () => {
    client?.close();
    await under?.close();
  });

  /** The first message of the answer; undefined when there is none. */
  async function ask({ method, header, requests }: Call): Promise<Buffer | undefined> {
    const metadata = new Metadata();
    for (const value of header) metadata.add("workload.spiffe.io", value);
    const asIs = (bytes: Buffer): Buffer => bytes;
    const options = { deadline: Date.now() + 30_000 };
    const stream = client.makeBidiStreamRequest(`/SpiffeWorkloadAPI/${method}`, asIs, asIs, metadata, options);
    const answer = new Promise<Buffer | undefined>((resolve) => {
      stream.once("data", resolve);
      stream.once("end", () => resolve(undefined));
      stream.on("error", () => resolve(undefined));
    });
    for (const request of requests) stream.write(Buffer.from(request));
    stream.end();
    const first = await answer;
    stream.cancel();
    return first;
  }

  it(
    "answers with X.509 material where it is asked for by a client with the header, and otherwise with none",
    async () => {
      let answered = 0;
      await fc.assert(
        fc.asyncProperty(call, async (one) => {
          const answer = await ask(one);
          const entitled = streamed.includes(one.method) && one.header.length === 1 && one.header[0] === "true";
          if (!entitled) expect(answer).toBeUndefined();
          if (answer === undefined) return;
          answered += 1;
          if (one.method === "FetchX509SVID") {
            const ids = fromBinary(X509SVIDResponseSchema, answer).svids.map(({ spiffeId }) => spiffeId);
            expect(ids).toEqual(["spiffe://cluster.local/ns/demo/sa/frontend"]);
          } else {
            const domains = Object.keys(fromBinary(X509BundlesResponseSchema, answer).bundles);
            expect(domains).toEqual(["spiffe://cluster.local"]);
          }
        }),
        fuzzParameters(0.005),
      );
      expect(answered).toBeGreaterThan(0);
      expect(await ask({ method: "FetchX509SVID", header: ["true"], requests: [new Uint8Array(0)] })).toBeDefined();
      expect(under.agent.output.stderr).not.toContain("PRIVATE KEY");
    },
    fuzzTimeoutMs,
  );
});
