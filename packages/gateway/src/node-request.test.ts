import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HeaderList } from "./gateway-request.ts";
import { changeNodeRequest, readNodeRequest } from "./node-request.ts";

function incoming(headers: HeaderList, url = "/cart"): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.method = "GET";
  request.url = url;
  // As the parser of Node does it, which knows how many headers there are.
  const add: unknown = Reflect.get(request, "_addHeaderLines");
  if (typeof add === "function") add.call(request, headers.flat(), headers.length * 2);
  return request;
}

function pairsOf(rawHeaders: readonly string[]): HeaderList {
  return rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ""] as const] : []));
}

const names = ["x-user", "X-User", "authorization", "Cookie", "x-a", "Set-Cookie", "accept", "Content-Type", "x-b"];
const header = fc.tuple(fc.constantFrom(...names), fc.constantFrom("1", "2", "a, b"));
const lowerNames = names.map((name) => name.toLowerCase());
const changes = fc.record({
  remove: fc.uniqueArray(fc.constantFrom(...lowerNames)),
  add: fc.array(fc.tuple(fc.constantFrom(...lowerNames), fc.constantFrom("3", "4")), { maxLength: 4 }),
});

describe("changeNodeRequest", () => {
  test.each([
    ["after Node has made its views", true],
    ["before Node has made its views", false],
  ])("leaves every view as Node would have made it of the changed headers, %s", (_when, read) => {
    fc.assert(
      fc.property(fc.array(header, { maxLength: 8 }), changes, (headers, change) => {
        const request = incoming(headers);
        if (read) expect([request.headers, request.headersDistinct]).toHaveLength(2);
        const seen = readNodeRequest(request, { trustedHops: 0 });
        if (seen === undefined) throw new Error("this request is plain");
        changeNodeRequest(request, seen, change);
        const oracle = incoming(pairsOf(request.rawHeaders));
        expect({ ...request.headers }).toEqual({ ...oracle.headers });
        expect({ ...request.headersDistinct }).toEqual({ ...oracle.headersDistinct });
        const kept = headers.filter(([name]) => !change.remove.includes(name.toLowerCase()));
        expect(request.rawHeaders).toEqual([...kept, ...change.add].flat());
      }),
      { seed: 7 },
    );
  });

  test.each([
    ["/cart?access_token=t", "/cart", "/cart"],
    ["/cart", undefined, "/cart"],
    ["http://bank.example/cart?a", undefined, "/cart?a"],
    ["http://bank.example?a", undefined, "/?a"],
    ["http://bank.example/cart?access_token=t", "/cart", "/cart"],
  ])("makes of the target %s, with the path %s, %s", (target, path, url) => {
    const request = incoming([["Host", "shop.example"]], target);
    const seen = readNodeRequest(request, { trustedHops: 0 });
    if (seen === undefined) throw new Error("this request is plain");
    changeNodeRequest(request, seen, { remove: [], add: [], ...(path === undefined ? {} : { path }) });
    expect(request.url).toBe(url);
    expect(request.headers.host).toBe(target.startsWith("http") ? "bank.example" : "shop.example");
  });
});

describe("readNodeRequest", () => {
  test("sees repeated headers that Node drops or joins", () => {
    const headers = [
      ["Host", "shop.example"],
      ["Authorization", "Bearer a"],
      ["authorization", "Bearer b"],
    ] as const;
    expect(readNodeRequest(incoming(headers), { trustedHops: 0 })?.headers).toEqual(headers);
  });

  test("leaves pseudo-headers out, and takes no HTTP/2 request for two hosts", () => {
    const pseudo = [
      [":method", "GET"],
      [":authority", "shop.example"],
    ] as const;
    const read = (...headers: HeaderList) => readNodeRequest(incoming([...pseudo, ...headers]), { trustedHops: 0 });
    expect(read(["x-a", "1"])).toMatchObject({ host: "shop.example", headers: [["x-a", "1"]] });
    expect(read(["host", "shop.example"])?.host).toBe("shop.example");
    expect(read(["host", "bank.example"])).toBeUndefined();
  });

  test("knows nothing of a connection whose socket throws at every touch", () => {
    const gone = new Proxy({} as Socket, {
      get: () => {
        throw new Error("the session is gone");
      },
    });
    const request = { method: "GET", url: "/", rawHeaders: ["host", "shop.example"], headers: {}, socket: gone };
    expect(() => readNodeRequest(request, { trustedHops: 0 })).not.toThrow();
  });
});
