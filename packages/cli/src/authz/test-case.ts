import { type AttributedRequest, parseAttributeContext } from "@signet/authorizer";
import { type DocumentPosition, type FieldReader, parseWorkload, type Workload } from "@signet/documents";
import type { Believing } from "./open-authorizer.ts";
import { applySketch, emptyRequest, type RequestSketch } from "./request-sketch.ts";

/** A request, and what is to become of it. */
export type TestCase = {
  /** What its document is called, if it is called anything. */
  readonly suite: string;
  readonly name: string;
  readonly workload: Workload;
  readonly request: AttributedRequest;
  /** Whether its path is as a proxy has made it; else it is as the client sent it. */
  readonly isNormalized: boolean;
  readonly believing: Believing;
  readonly expected: Expectation;
  readonly position: DocumentPosition;
};

/** What is expected of a decision; what is absent may be anything. */
export type Expectation = {
  readonly effect?: "allow" | "deny";
  readonly policy?: string | null;
  readonly rule?: number | null;
  readonly reason?: string;
  readonly audit?: readonly string[];
};

/** What an object of cases says it is. */
export const testApiVersion = "test.signet/v1";
export const testKind = "AuthorizationTest";

/** Reads the cases of one object, and notes what is wrong with it; `fallback` is for cases that name no workload. */
export function readTestCases(test: FieldReader, fallback: Workload | undefined): readonly TestCase[] {
  for (const name of ["apiVersion", "kind"]) test.holds(name);
  const metadata = test.map("metadata");
  const suite = metadata?.text("name") ?? "";
  for (const name of ["namespace", "labels", "annotations"]) metadata?.holds(name);
  const workload = test.parsed("workload", parseWorkload) ?? fallback;
  if (!test.holds("cases")) test.report("has no cases");
  const cases = test.maps("cases").flatMap((one) => {
    const found = readCase(one, workload);
    return found === undefined ? [] : [{ ...found, suite }];
  });
  for (const reader of [test, metadata]) if (reader !== undefined) refuseUnread(reader);
  return cases;
}

function readCase(one: FieldReader, fallback: Workload | undefined): Omit<TestCase, "suite"> | undefined {
  const name = one.text("name") ?? "";
  if (name === "") one.report("has no name that says what it is about");
  const workload = one.parsed("workload", parseWorkload) ?? fallback;
  if (workload === undefined && !one.holds("workload")) one.report("has no workload, and its document neither");
  const read = readRequest(one);
  const expected = readExpectation(one);
  refuseUnread(one);
  if (workload === undefined || read === undefined || expected === undefined) return undefined;
  return { name, workload, ...read, expected, position: one.position() };
}

type ReadRequest = Pick<TestCase, "request" | "isNormalized" | "believing">;

function readRequest(one: FieldReader): ReadRequest | undefined {
  const short = one.map("request");
  if (one.holds("request") && one.holds("attributes")) one.report("has both request and attributes");
  if (one.holds("attributes")) {
    try {
      const request = parseAttributeContext(one.json("attributes"));
      return { request, isNormalized: true, believing: { claims: false, remoteIp: false } };
    } catch (error) {
      one.report(error instanceof Error ? error.message : "cannot be used", "attributes");
      return undefined;
    }
  }
  if (short === undefined) {
    if (!one.holds("request")) one.report("has no request and no attributes");
    return undefined;
  }
  const sketch = readSketch(short);
  const claims = short.json("claims");
  const isObject = typeof claims === "object" && claims !== null && !Array.isArray(claims);
  if (claims !== undefined && !isObject) short.report("is no map of claims", "claims");
  refuseUnread(short);
  const request = applySketch(emptyRequest, sketch);
  return {
    request: isObject
      ? { ...request, filterMetadata: { "envoy.filters.http.jwt_authn": { payload: claims } } }
      : request,
    isNormalized: false,
    believing: { claims: isObject, remoteIp: sketch.remoteIp !== undefined },
  };
}

const textFields = [
  ...(["method", "scheme", "host", "path", "principal", "sourceIp", "remoteIp", "destinationIp", "sni"] as const),
];

function readSketch(short: FieldReader): RequestSketch {
  const texts = textFields.flatMap((name) => {
    const text = short.text(name);
    return text === undefined ? [] : [[name, text] as const];
  });
  const port = short.integer("port");
  if (port !== undefined && (port < 1 || port > 65_535)) short.report("is no port", "port");
  const headers = short.map("headers");
  const read = (headers?.names() ?? []).flatMap((name) => {
    const values = Array.isArray(headers?.json(name)) ? headers?.parsedList(name, String) : [headers?.text(name)];
    return (values ?? []).flatMap((value) => (value === undefined ? [] : [[name, value] as const]));
  });
  return {
    ...Object.fromEntries(texts),
    ...(port !== undefined && { port }),
    ...(short.bool("tcp") === true && { tcp: true }),
    headers: read,
  };
}

function readExpectation(one: FieldReader): Expectation | undefined {
  const value = one.json("expect");
  if (value === "allow" || value === "deny") return { effect: value };
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    one.report(
      "is to be allow, deny, or a map of effect, policy, rule, reason and audit",
      one.holds("expect") ? "expect" : undefined,
    );
    return undefined;
  }
  const fields = new Map(Object.entries(value));
  const isOf = (name: string, fits: (field: unknown) => boolean, wanted: string): void => {
    if (fields.has(name) && !fits(fields.get(name))) one.report(`has a ${name} that is not ${wanted}`, "expect");
  };
  isOf("effect", (field) => field === "allow" || field === "deny", "allow or deny");
  isOf("policy", (field) => field === null || typeof field === "string", "namespace/name or null");
  isOf("rule", (field) => field === null || Number.isInteger(field), "an index or null");
  isOf("reason", (field) => typeof field === "string", "a reason");
  isOf("audit", (field) => Array.isArray(field), "a list of namespace/name");
  const known = ["effect", "policy", "rule", "reason", "audit"];
  for (const name of fields.keys())
    if (!known.includes(name)) one.report(`expects ${JSON.stringify(name)}, which no decision has`, "expect");
  if (fields.size === 0) one.report("expects nothing", "expect");
  return { ...value };
}

function refuseUnread(reader: FieldReader): void {
  for (const name of reader.unread()) reader.report("is not valid: unknown field", name);
}
