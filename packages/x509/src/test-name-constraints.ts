import { caConstraints, caKeyUsage } from "./ca-extensions.ts";
import { type DerValue, derNode, encodeDer, sequence } from "./der/der-writer.ts";
import { contextConstructed, contextPrimitive } from "./der/tag.ts";
import { organizationOnly } from "./distinguished-name.ts";
import { extension, extensionId } from "./extension.ts";
import { parseIpAddress } from "./ip-address.ts";
import { leafUsage, type TestAuthority, testAuthority } from "./test-authority.ts";
import { type TestNameConstraints, type TestSubtree, testNameConstraints } from "./test-ca-extensions.ts";

/** Alternative names of a leaf, written as they stand; an IP address that is none is taken for its octets. */
export type Names = readonly (readonly [form: "dns" | "uri" | "ip" | "email" | "directory", value: string])[];

/** A root without constraints, above everything made here. */
export const root: TestAuthority = await testAuthority({ name: "root" });

/** One base each. */
export const dns = (value: string): TestSubtree => ({ kind: "dns", value });
export const uri = (value: string): TestSubtree => ({ kind: "uri", value });
export const ip = (hex: string): TestSubtree => ({ kind: "ip", hex });
export const email = (value: string): TestSubtree => ({ kind: "email", value });
export const directory = (name: DerValue): TestSubtree => ({ kind: "directory", name: encodeDer(name) });

function generalName([form, value]: Names[number]): DerValue {
  const octets = Buffer.from(value, "latin1");
  switch (form) {
    case "email":
      return derNode(contextPrimitive(1), [octets]);
    case "dns":
      return derNode(contextPrimitive(2), [octets]);
    case "directory":
      return derNode(contextConstructed(4), [organizationOnly(value)]);
    case "uri":
      return derNode(contextPrimitive(6), [octets]);
    case "ip":
      return derNode(contextPrimitive(7), [parseIpAddress(value) ?? octets]);
  }
}

const namesExtension = (names: Names): DerValue =>
  extension(extensionId.subjectAltName, { critical: true }, sequence(...names.map(generalName)));

/** Returns a CA with name constraints. */
export async function constrained(
  constraints: TestNameConstraints,
  issuer: TestAuthority = root,
): Promise<TestAuthority> {
  const extensions = [caKeyUsage, caConstraints(undefined), testNameConstraints(constraints)];
  return testAuthority({ name: "constrained", issuer, extensions });
}

/** Returns a leaf with these names and an empty subject. */
export async function leafNamed(issuer: TestAuthority, names: Names): Promise<TestAuthority> {
  return testAuthority({ name: "leaf", subject: sequence(), issuer, extensions: [leafUsage, namesExtension(names)] });
}

export const frontend = "spiffe://cluster.local/ns/demo/sa/frontend";
export const permits = (...permitted: TestSubtree[]): TestNameConstraints => ({ permitted });
export const excludes = (...excluded: TestSubtree[]): TestNameConstraints => ({ excluded });
