import { expect, it } from "vitest";
import { parseCurlLine } from "./curl-line.ts";
import { shellWords } from "./shell-words.ts";

const get = { method: "GET", scheme: "http", headers: [] };

it.each<[string, object]>([
  ["curl shop.example", { ...get, host: "shop.example", path: "/" }],
  ["$ curl -sSkvL http://shop.example:8080/a?b=c#d", { ...get, host: "shop.example:8080", path: "/a?b=c" }],
  [
    "curl https://shop.example:443/a",
    { ...get, scheme: "https", host: "shop.example", path: "/a", sni: "shop.example" },
  ],
  ["curl https://10.0.0.1/", { ...get, scheme: "https", host: "10.0.0.1", path: "/" }],
  ["curl -X PUT http://a/", { ...get, method: "PUT", host: "a", path: "/" }],
  ["curl -sXDELETE http://a/", { ...get, method: "DELETE", host: "a", path: "/" }],
  ["curl -I http://a", { ...get, method: "HEAD", host: "a", path: "/" }],
  ["curl http://a -d x=1 --data-raw 'y=2'", { ...get, method: "POST", host: "a", path: "/" }],
  ["curl -G http://a/s?q=0 -d x=1 -d y=2", { ...get, host: "a", path: "/s?q=0&x=1&y=2" }],
  ["curl -F a=@b http://a", { ...get, method: "POST", host: "a", path: "/" }],
  ["curl -T file http://a/up", { ...get, method: "PUT", host: "a", path: "/up" }],
  ["curl http://a/x/../b", { ...get, host: "a", path: "/b" }],
  ["curl --path-as-is http://a/x/../b", { ...get, host: "a", path: "/x/../b" }],
  ["curl -o /dev/null -w '%{http_code}' --max-time 3 --url http://a", { ...get, host: "a", path: "/" }],
  ["curl -H 'Host: other' http://a", { ...get, host: "other", path: "/" }],
  [
    `curl "http://a" -H "X-Team: blue" -H 'x-team:red' -H 'Accept:' -H 'X-Empty;'`,
    {
      ...get,
      host: "a",
      path: "/",
      headers: [
        ["X-Team", "blue"],
        ["x-team", "red"],
        ["X-Empty", ""],
      ],
    },
  ],
  ["curl -u me:secret http://a", { ...get, host: "a", path: "/", headers: [["authorization", "Basic bWU6c2VjcmV0"]] }],
  ["curl http://me:secret@a/", { ...get, host: "a", path: "/", headers: [["authorization", "Basic bWU6c2VjcmV0"]] }],
  ["curl --oauth2-bearer tok http://a", { ...get, host: "a", path: "/", headers: [["authorization", "Bearer tok"]] }],
  [
    "curl -A agent -b 'a=b' http://a",
    {
      ...get,
      host: "a",
      path: "/",
      headers: [
        ["user-agent", "agent"],
        ["cookie", "a=b"],
      ],
    },
  ],
  ["kubectl exec deploy/sleep -c sleep -- curl -s http://a/b", { ...get, host: "a", path: "/b" }],
  [
    "curl \\\n  'http://a/b' \\\r\n  -H $'x: it\\'s \\u00e9'",
    { ...get, host: "a", path: "/b", headers: [["x", "it's é"]] },
  ],
])("reads %s", (line, expected) => {
  expect(parseCurlLine(line)).toEqual(expected);
});

it.each([
  ["wget http://a", "there is no word curl in it"],
  ["curl -s", "there is no URL in it"],
  ["curl ftp://a/b", "its URL is none of http or https"],
  ["curl http://a -H", "-H is the last word and wants a value"],
  ["curl 'http://a", "a quote ' is not closed"],
])("does not read %s", (line, problem) => {
  expect(() => parseCurlLine(line)).toThrow(problem);
});

it.each<[string, readonly string[]]>([
  ["a  b\tc", ["a", "b", "c"]],
  ["a'b c'd\"e f\"", ["ab cde f"]],
  ["'' \"\"", ["", ""]],
  ['"a\\"b\\n" a\\ b', ['a"b\\n', "a b"]],
  ["$'a\\tb\\x41'", ["a\tbA"]],
])("splits %j as a shell does", (line, words) => {
  expect(shellWords(line)).toEqual(words);
});
