import type { SubjectAltName } from "@signet/x509";
import { describe, expect, it } from "vitest";
import { sameSubjectAltNames } from "./same-subject-alt-names.ts";

const uri: SubjectAltName = { kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/frontend" };
const dns: SubjectAltName = { kind: "dns", value: "istiod.istio-system.svc" };
const ip: SubjectAltName = { kind: "ip", value: "127.0.0.1" };
const other: SubjectAltName = { kind: "other", tag: 1, der: Uint8Array.of(0x81, 1, 0x61) };

describe("sameSubjectAltNames", () => {
  it.each<{ name: string; a: readonly SubjectAltName[]; b: readonly SubjectAltName[]; same: boolean }>([
    { name: "none and none", a: [], b: [], same: true },
    { name: "one name", a: [uri], b: [uri], same: true },
    { name: "several in another order", a: [uri, dns, ip], b: [ip, uri, dns], same: true },
    { name: "one more", a: [uri], b: [uri, dns], same: false },
    { name: "one less", a: [uri, dns], b: [uri], same: false },
    {
      name: "another value",
      a: [uri],
      b: [{ kind: "uri", value: "spiffe://cluster.local/ns/demo/sa/backend" }],
      same: false,
    },
    { name: "the same text in another form", a: [uri], b: [{ kind: "dns", value: uri.value }], same: false },
    { name: "another number of each", a: [uri, uri, dns], b: [uri, dns, dns], same: false },
    { name: "one name of unknown kind", a: [other], b: [other], same: false },
    { name: "a name of unknown kind among others", a: [other, uri], b: [uri, other], same: false },
  ])("compares $name: $same", ({ a, b, same }) => {
    expect(sameSubjectAltNames(a, b)).toBe(same);
  });
});
