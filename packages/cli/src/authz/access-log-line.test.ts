import { expect, it } from "vitest";
import { parseAccessLogLine } from "./access-log-line.ts";

const istio =
  '[2026-11-30T17:00:00.123Z] "POST /items/1?a=b HTTP/1.1" 403 - rbac_access_denied_matched_policy[ns[foo]-policy[web]-rule[0]] - "-" 0 19 0 - "10.0.0.1,10.0.0.2" "curl/8.0 (\\"x\\")" "id-1" "shop.foo:8000" "-" inbound|8080|| - 10.0.0.9:8080 [2001:db8::7]:41000 outbound_.8080_._.shop default';
const envoy = '[2026-11-30T17:00:00.123Z] "GET / HTTP/2" 200 - 0 615 12 11 "-" "-" "id-2" "shop.example" "10.1.1.1:80"';
const json = JSON.stringify({
  method: "GET",
  path: "/a",
  authority: "shop.foo",
  response_code: 403,
  response_code_details: "rbac_access_denied_matched_policy[none]",
  downstream_local_address: "10.0.0.9:8080",
  downstream_remote_address: "10.0.0.7:41000",
  requested_server_name: "-",
  x_forwarded_for: null,
  user_agent: "agent",
});

it("reads Istio's text format", () => {
  expect(parseAccessLogLine(`httpbin-0 ${istio}\n`)).toEqual({
    status: 403,
    details: "rbac_access_denied_matched_policy[ns[foo]-policy[web]-rule[0]]",
    sketch: {
      method: "POST",
      path: "/items/1?a=b",
      host: "shop.foo:8000",
      sni: "outbound_.8080_._.shop",
      sourceIp: "2001:db8::7",
      destinationIp: "10.0.0.9",
      port: 8080,
      headers: [
        ["x-forwarded-for", "10.0.0.1,10.0.0.2"],
        ["user-agent", 'curl/8.0 (\\"x\\")'],
        ["x-request-id", "id-1"],
      ],
    },
  });
});

it("reads Envoy's own format, which tells less", () => {
  expect(parseAccessLogLine(envoy)).toEqual({
    status: 200,
    sketch: { method: "GET", path: "/", host: "shop.example", headers: [["x-request-id", "id-2"]] },
  });
});

it("reads JSON with Istio's names", () => {
  expect(parseAccessLogLine(json)).toEqual({
    status: 403,
    details: "rbac_access_denied_matched_policy[none]",
    sketch: {
      method: "GET",
      path: "/a",
      host: "shop.foo",
      sourceIp: "10.0.0.7",
      destinationIp: "10.0.0.9",
      port: 8080,
      headers: [["user-agent", "agent"]],
    },
  });
});

it.each([
  ["", "a line is wanted such as"],
  ["hello", "a line is wanted such as"],
  ['[t] "GET /" 403 - 1 2 3', "a line is wanted such as"],
  ['[t] "GET / HTTP/1.1" 403 - "-"', "there are no numbers of octets"],
  ["{", "it is not JSON"],
  ["{}", "there is no method and no path in it"],
])("does not read %j", (line, problem) => {
  expect(() => parseAccessLogLine(line)).toThrow(problem);
});
