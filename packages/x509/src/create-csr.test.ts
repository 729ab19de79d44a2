import { parseSpiffeId } from "@signet/spiffe";
import { describe, expect, it } from "vitest";
import { createCsr } from "./create-csr.ts";
import { parseCsr } from "./csr.ts";
import { derNode, encodeDer, octetString, sequence } from "./der/der-writer.ts";
import { testKey } from "./testing.ts";

const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const key = await testKey("P-256");
const zero = Uint8Array.of(2, 1, 0);

describe("createCsr", () => {
  it("asks for what Istio's agent asks for: an empty organization, one critical URI and nothing else", () => {
    const csr = parseCsr(createCsr({ key, spiffeId }));
    const names = sequence(Uint8Array.of(0x86, spiffeId.length, ...Buffer.from(spiffeId)));
    const wanted = encodeDer(
      sequence(
        zero,
        Uint8Array.fromHex("300b31093007060355040a1300"),
        key.spki,
        derNode(0xa0, [
          sequence(
            Uint8Array.fromHex("06092a864886f70d01090e"),
            derNode(0x31, [sequence(sequence(Uint8Array.fromHex("0603551d110101ff"), octetString(names)))]),
          ),
        ]),
      ),
    );
    expect(csr.tbs.toHex()).toBe(wanted.toHex());
  });
});
