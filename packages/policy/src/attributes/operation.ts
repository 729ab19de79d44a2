import { lowerCaseAscii } from "../authorization-request.ts";
import type { Facts } from "../facts.ts";
import { toOctets } from "../match/octets.ts";
import { isPathTemplate, type PathTemplate, parsePathTemplate } from "../match/path-template.ts";
import { starPattern, type TextPattern, textTest } from "../match/text-pattern.ts";
import { type Dimension, portKey } from "../rules/index-key.ts";
import type { Attribute } from "./attribute.ts";
import { connectionEdit, fillStars, httpEdit } from "./attribute-edit.ts";
import { patternKeys } from "./pattern-keys.ts";

const hostDimension: Dimension = { kind: "text", id: "host", read: (facts) => facts.host };
const methodDimension: Dimension = { kind: "text", id: "method", read: (facts) => facts.method };
const pathDimension: Dimension = { kind: "text", id: "path", read: (facts) => facts.path };
const portDimension: Dimension = { kind: "port", id: "port" };

/** `hosts`: `:authority` with its port, whatever the case of its letters. */
export const operationHost: Attribute = {
  title: "host",
  cost: 2,
  edit: httpEdit("host", {
    like: (values) => values.map((value) => fillStars(toOctets(value), "x")),
    unlike: [undefined, "x", "signet-other.invalid"],
  }),
  httpOnly: true,
  read: ({ request }) => (request.kind === "http" ? request.host : undefined),
  compile: (values) => {
    const patterns = values.map((value) => starPattern(lowerCaseAscii(toOctets(value)), "present"));
    const matches = textTest(patterns);
    const test = (facts: Facts) => facts.host !== undefined && matches(facts.host);
    return { test, ...patternKeys(patterns, hostDimension) };
  },
};

/** `methods`: case counts. */
export const operationMethod: Attribute = {
  title: "method",
  cost: 1,
  edit: httpEdit("method", {
    like: (values) => values.map((value) => fillStars(toOctets(value), "X")),
    unlike: ["GET", "HEAD", "POST", "X-OTHER"],
  }),
  httpOnly: true,
  read: (facts) => facts.method,
  compile: (values) => {
    const patterns = values.map((value) => starPattern(toOctets(value), "present"));
    const matches = textTest(patterns);
    const test = (facts: Facts) => facts.method !== undefined && matches(facts.method);
    return { test, ...patternKeys(patterns, methodDimension) };
  },
};

/** `paths`: without query and fragment; plain, or templates. */
export const operationPath: Attribute = {
  title: "path",
  cost: 2,
  edit: httpEdit("path", {
    like: (values) =>
      values.map((value) =>
        isPathTemplate(value) ? value.replaceAll("{**}", "x").replaceAll("{*}", "x") : fillStars(toOctets(value), "/"),
      ),
    unlike: ["/", "/x", "/signet-other", undefined],
  }),
  httpOnly: true,
  read: (facts) => facts.path,
  fault: (value) =>
    isPathTemplate(value) && parsePathTemplate(value) === undefined
      ? "is no path template that Envoy takes"
      : undefined,
  compile: (values) => {
    const patterns = values.map(pathPattern);
    const matches = textTest(patterns);
    const test = (facts: Facts) => facts.path !== undefined && matches(facts.path);
    return { test, ...pathKeys(patterns) };
  },
};

/** `ports` and `destination.port`: the port that the workload listens on. */
export const destinationPort: Attribute = {
  title: "destination port",
  cost: 1,
  edit: connectionEdit("destinationPort", {
    like: (values) => values.map(Number),
    unlike: [1, 80, 8080, 443, undefined],
  }),
  httpOnly: false,
  read: ({ request }) => request.destinationPort,
  fault: (value) => (/^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? undefined : "is no port from 0 to 65535"),
  compile: (values) => {
    const ports = new Set(values.map(Number));
    return {
      test: ({ request }) => request.destinationPort !== undefined && ports.has(request.destinationPort),
      keys: [...ports].map((port) => portKey(portDimension, port)),
      keysAreExact: true,
    };
  },
};

function pathPattern(value: string): TextPattern {
  const template: PathTemplate | undefined = isPathTemplate(value) ? parsePathTemplate(value) : undefined;
  return template === undefined ? starPattern(toOctets(value), "octets") : { kind: "template", template };
}

function pathKeys(patterns: readonly TextPattern[]): ReturnType<typeof patternKeys> {
  // A template is found by what stands before its first operator.
  const keyed = patterns.map((pattern): TextPattern => {
    if (pattern.kind !== "template") return pattern;
    const { before } = pattern.template;
    const operator = before.indexOf(undefined);
    const literals = operator < 0 ? before : before.slice(0, operator);
    return { kind: "prefix", text: `/${literals.map((literal) => `${literal}/`).join("")}` };
  });
  const { keys } = patternKeys(keyed, pathDimension);
  return keys === undefined ? {} : { keys, keysAreExact: patterns.every(({ kind }) => kind !== "template") };
}
