import { describe, expect, it } from "vitest";
import { resources } from "./index.ts";

const metadata = { name: "a", namespace: "demo" };

describe("parse", () => {
  it("keeps what it does not know, and removes optional fields that are null", () => {
    const sent = {
      metadata: { ...metadata, labels: null, managedFields: [{}] },
      spec: { nodeName: null, volumes: [] },
    };
    expect(resources.pods.parse(sent)).toEqual({
      metadata: { ...metadata, managedFields: [{}] },
      spec: { volumes: [] },
    });
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a list", []],
    ["no metadata", {}],
    ["no name", { metadata: {} }],
    ["a name that is a number", { metadata: { name: 1 } }],
    ["labels that are a list", { metadata: { ...metadata, labels: [] } }],
    ["a label that is a number", { metadata: { ...metadata, labels: { a: 1 } } }],
    ["data that are text", { metadata, data: "text" }],
    ["a value that is null", { metadata, data: { a: null } }],
    ["a flag that is text", { metadata, immutable: "true" }],
  ])("refuses %s, and repeats no content", (_, value) => {
    expect(() => resources.secrets.parse(value)).toThrow(expect.objectContaining({ code: "response-malformed" }));
  });

  it("checks conditions and usages one by one", () => {
    const spec = { request: "", signerName: "a.b/c" };
    const { certificateSigningRequests: requests } = resources;
    const status = { conditions: [{ type: "Approved", status: "True" }], certificate: null };
    expect(requests.parse({ metadata, spec, status }).status).toEqual({ conditions: status.conditions });
    for (const wrong of [
      { metadata },
      { metadata, spec: { ...spec, usages: [1] } },
      { metadata, spec: { ...spec, expirationSeconds: "600" } },
      { metadata, spec, status: { conditions: {} } },
      { metadata, spec, status: { conditions: [{ type: "Approved" }] } },
      { metadata, spec, status: { conditions: ["Approved"] } },
    ]) {
      expect(() => requests.parse(wrong)).toThrow(expect.objectContaining({ code: "response-malformed" }));
    }
  });
});
