import { describe, expect, test } from "vitest";
import { changeFetchRequest } from "./fetch-request.ts";

describe("a request with another path", () => {
  test.each([
    ["//evil.example/x", "https://shop.example:8443//evil.example/x"],
    ["//evil.example", "https://shop.example:8443//evil.example"],
    ["/x?a=//evil.example", "https://shop.example:8443/x?a=//evil.example"],
    ["/@evil.example/", "https://shop.example:8443/@evil.example/"],
    ["*", "https://shop.example:8443/*"],
    ["@evil.example", "https://shop.example:8443/@evil.example"],
  ])("is still for the same host: %s", (path, expected) => {
    const request = new Request("https://shop.example:8443/before?access_token=t");
    expect(changeFetchRequest(request, { remove: [], add: [], path }).url).toBe(expected);
  });
});
