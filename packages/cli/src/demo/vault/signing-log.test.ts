import { describe, expect, test } from "vitest";
import { openSigningLog, parseSignatures } from "./signing-log.ts";

type Entry = { readonly type?: string; readonly path?: string; readonly uriSans?: unknown; readonly serial?: string };

function line({ type = "response", path = "pki-1/sign/signet", uriSans = ["spiffe://a/b"], serial }: Entry): string {
  const response = serial === undefined ? {} : { response: { data: { serial_number: serial } } };
  return `${JSON.stringify({ type, request: { path, data: { csr: "hmac-sha256:00", uri_sans: uriSans } }, ...response })}\n`;
}

describe("parseSignatures", () => {
  test("counts certificates, not requests, refusals or what other roles signed", () => {
    const log = [
      line({ type: "request" }),
      line({ serial: "0A:1b:00" }),
      line({}),
      line({ path: "pki-1/sign/signet-serving", serial: "02" }),
      line({ path: "pki-1/sign-verbatim", serial: "03" }),
      line({ uriSans: "spiffe://a/c", serial: "04" }),
    ].join("");
    expect(parseSignatures(log, "pki-1/sign/signet")).toEqual([
      { spiffeId: "spiffe://a/b", serial: "0a1b00" },
      { spiffeId: "spiffe://a/c", serial: "04" },
    ]);
  });

  test("leaves a line alone that is still being written", () => {
    const log = line({ serial: "01" }) + line({ serial: "02" }).slice(0, -20);
    expect(parseSignatures(log, "pki-1/sign/signet")).toHaveLength(1);
    expect(parseSignatures("", "pki-1/sign/signet")).toEqual([]);
  });
});

describe("openSigningLog", () => {
  test("is none where Vault takes no audit device from its API", async () => {
    const objects = {
      async write(path: string): Promise<never> {
        if (path.startsWith("sys/audit/")) throw new Error("400");
        return undefined as never;
      },
    };
    expect(await openSigningLog(objects, { mount: "pki-1", directory: "/nonexistent" })).toBeUndefined();
  });
});
