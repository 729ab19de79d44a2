const principals = [
  "cluster.local/ns/foo/sa/bar",
  "cluster.local/ns/foo/sa/baz",
  "old.example/ns/foo/sa/bar",
  "other.example/ns/bar/sa/bar",
  "*.example/ns/foo/sa/bar",
  "cluster.local/ns/foo/*",
  "cluster.local/*",
  "*/sa/bar",
  "*/ns/foo/sa/bar",
  "*r",
  "*",
  "cluster.local/ns/foo",
  "prod.example/ns/ns/sa/ü",
];
const namespaces = ["foo", "bar", "fo*", "*o", "f*o", "*", "ns", "ü", "a.b"];
const serviceAccounts = ["bar", "baz", "foo/bar", "ns/bar", "bar/baz", "ü"];
const trustDomains = ["cluster.local", "old.example", "other.example", "*.example", "cluster*", "*", "o*"];
const blocks = ["10.0.0.0/8", "10.1.2.3", "10.1.2.0/24", "0.0.0.0/0", "192.0.2.7/31", "2001:db8::/32", "::1", "::/0"];
const moreBlocks = ["2001:db8:0:1::/64", "2001:db8:0:1:2::/80", "::ffff:10.0.0.1", "10.1.2.3/9"];
const requestPrincipals = [
  ...[
    "*",
    "https://idp.example/alice",
    "https://idp.example/*",
    "https://idp.example/al*",
    "*/alice",
    "*.example/alice",
  ],
  ...["*ice", "https://idp*", "alice", "https://idp.example//alice", "https://other.example/bob", "/"],
];
const hosts = ["shop.example", "SHOP.example:*", "*.example", "shop.*", "*", "*:8080", "shop.example:8080"];
const methods = ["GET", "POST", "P*", "*T", "*", "get"];
const paths = [
  ...[
    "/",
    "/cart",
    "/cart*",
    "/cart/*",
    "*.jpg",
    "*/items",
    "*",
    "/cart/{*}",
    "/cart/{*}/items",
    "/{**}",
    "/cart/{**}/items",
  ],
  ...["/Cart", "/cart;v=1", "/a/{*}/", "/ü*", "/*"],
];
const ports = ["80", "8080", "0", "65535", "443"];
const words = ["blue", "red", "b*", "*e", "*", "blue,red", "", "[blue]", "[b*]", "ü", "über*"];

const vocabulary: ReadonlyMap<string, readonly string[]> = new Map([
  ["principals", principals],
  ["source.principal", principals],
  ["namespaces", namespaces],
  ["source.namespace", namespaces],
  ["serviceAccounts", serviceAccounts],
  ["source.serviceAccount", serviceAccounts],
  ["trustDomains", trustDomains],
  ["source.trustDomain", trustDomains],
  ["ipBlocks", [...blocks, ...moreBlocks]],
  ["remoteIpBlocks", [...blocks, ...moreBlocks]],
  ["source.ip", blocks],
  ["remote.ip", blocks],
  ["destination.ip", blocks],
  ["requestPrincipals", requestPrincipals],
  ["request.auth.principal", requestPrincipals],
  ["hosts", hosts],
  ["methods", methods],
  ["paths", paths],
  ["ports", ports],
  ["destination.port", ports],
  ["connection.sni", ["shop.example", "*.example", "shop.*", "*"]],
  ["request.headers[:path]", paths],
  ["request.headers[Host]", ["shop.example", "*:8080", "*"]],
]);

/** Every key of `when` there is, some of them twice in different ways. */
export const whenKeys: readonly string[] = [
  ...["source.ip", "remote.ip", "source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal"],
  ...["request.auth.principal", "request.auth.audiences", "request.auth.presenter", "request.auth.claims[groups]"],
  ...["request.auth.claims[realm][roles]", "request.auth.claims[a.b/c]", "request.auth.claims[[x]]"],
  ...["request.headers[X-Team]", "request.headers[x-empty]", "request.headers[:path]", "request.headers[Host]"],
  ...["destination.ip", "destination.port", "connection.sni"],
  ...["experimental.envoy.filters.http.foo[k]", "experimental.envoy.filters.network.bar[l]"],
];

/** Values for a field or a key of `when`. */
export function valuesOf(name: string, faulty: boolean): readonly string[] {
  const values = vocabulary.get(name) ?? words;
  if (!faulty) return values;
  const faults = /ip/i.test(name)
    ? ["10.0.0.0/33", "10.0.0", "::g"]
    : /port/.test(name)
      ? ["65536", "http", "-1"]
      : name === "paths"
        ? ["cart/{*}", "/{**}/{*}", "/a{*}", "//{*}"]
        : [];
  return [...values, ...faults];
}

type RequestValueName = "peerPrincipal" | "ip" | "method" | "path" | "host" | "sni" | "word";

/** What requests may have, on purpose near the values above. */
export const requestValues: Readonly<Record<RequestValueName, readonly string[]>> & {
  readonly port: readonly number[];
  /** Claims, of any kind. */
  readonly claim: readonly unknown[];
  readonly issuer: readonly unknown[];
  readonly subject: readonly unknown[];
} = {
  peerPrincipal: [
    ...[
      "spiffe://cluster.local/ns/foo/sa/bar",
      "spiffe://cluster.local/ns/foo/sa/baz",
      "spiffe://old.example/ns/foo/sa/bar",
    ],
    ...[
      "spiffe://other.example/ns/bar/sa/bar",
      "spiffe://prod.example/ns/foo/sa/bar",
      "spiffe://cluster.local/ns/foo/x/y/sa/bar/z",
    ],
    ...[
      "spiffe://cluster.local/ns/foo/ns/bar/sa/bar",
      "spiffe://prod.example/ns/ns/sa/\u00c3\u00bc",
      "spiffe://a/ns/fo\n/sa/bar",
    ],
    ...[
      "CN=bar",
      "",
      "spiffe://x\xff/ns/foo/sa/bar",
      "spiffe:///ns/foo/sa/bar",
      "spiffe://cluster.local/ns/foo/sa/bar\n",
    ],
    ...[
      "http://cluster.local/ns/foo/sa/bar",
      "spiffe://cluster.local/ns/\u00c3\u00bc/sa/\u00c3\u00bc",
      "spiffe://a.b/ns/a.b/sa/bar",
    ],
  ],
  ip: [
    ...["10.1.2.3", "10.1.2.4", "11.0.0.1", "192.0.2.6", "192.0.2.8", "2001:db8::1", "2001:db8:0:1:2::9", "::1", "::2"],
    ...["::ffff:10.0.0.1", "fe80::1%eth0", "10.1.2", "", "127.0.0.1:80"],
  ],
  method: ["GET", "POST", "PUT", "get", "", "CONNECT"],
  path: [
    ...[
      "/",
      "/cart",
      "/cart/",
      "/cart/1",
      "/cart/1/items",
      "/cart/1/2/items",
      "/cart//items",
      "/x.jpg",
      "/cart?x=/items",
    ],
    ...[
      "/cart#y",
      "/Cart",
      "/cart;v=1",
      "/a/b/",
      "",
      "*",
      "/cart/a*b",
      "/\u00c3\u00bc",
      "/\xff",
      "/a\nb",
      "/cart/items?a.jpg",
    ],
  ],
  host: ["shop.example", "Shop.Example", "shop.example:8080", "example", ".example", "other", ""],
  port: [80, 8080, 443, 0, 65535, 1],
  sni: ["shop.example", "Shop.example", "", "a.example"],
  word: ["blue", "red", "be", "", "blue,red", "[blue]", "\u00c3\u00bc", "b\n", "purple"],
  claim: [
    "blue",
    "red",
    ["blue", "red"],
    ["x"],
    [],
    1,
    true,
    null,
    { roles: "blue" },
    "ü",
    "überall",
    "",
    "a\nb",
    [["blue"]],
  ],
  issuer: ["https://idp.example", "https://idp.example/", "https://other.example", "", "alice", 7],
  subject: ["alice", "bob", "", "albert", "a/b", null],
};
