import { isDeepStrictEqual } from "node:util";
import { compileJwtRules } from "@signet/request-auth";
import { Random } from "../support/random.ts";
import type { JwtOutcome } from "./ask-envoy.ts";
import { askLibrary } from "./ask-library.ts";
import { explanations, type JwtDifference } from "./explained.ts";
import type { JwtMesh } from "./jwt-mesh.ts";
import { makeRequest } from "./requests.ts";
import type { RuleSet } from "./rule-sets.ts";
import type { SigningKey } from "./signing-keys.ts";

/** What came of a run. */
export type JwtFigures = {
  requests: number;
  /** Of both sides alike: let through with an identity, without one, and refused, by body. */
  readonly outcomes: Map<string, number>;
  /** How often each deliberate difference showed. */
  readonly explained: Map<string, number>;
  /** The others, fit to be read. */
  readonly unexplained: string[];
};

/** What a run is made of. */
export type JwtRun = {
  readonly ruleSets: readonly RuleSet[];
  readonly signingKeys: readonly SigningKey[];
  readonly seed: number;
  readonly requestsPerSet: number;
};

/** Puts the same requests to Envoy and to our library and says where they differ. */
export async function compareWithEnvoy(mesh: JwtMesh, run: JwtRun): Promise<JwtFigures> {
  const figures: JwtFigures = { requests: 0, outcomes: new Map(), explained: new Map(), unexplained: [] };
  for (const ruleSet of run.ruleSets) await compareRuleSet(mesh, { run, ruleSet }, figures);
  return figures;
}

async function compareRuleSet(
  mesh: JwtMesh,
  { run, ruleSet }: { readonly run: JwtRun; readonly ruleSet: RuleSet },
  figures: JwtFigures,
): Promise<void> {
  const { seed, signingKeys, requestsPerSet } = run;
  const random = new Random(seed * 1_000_003 + ruleSet.index);
  const compiled = compileJwtRules(ruleSet.rules);
  const caller = mesh.callerOf(ruleSet);
  try {
    for (let made = 0; made < requestsPerSet; made++) {
      const asked = makeRequest({ random, signingKeys, nowSeconds: Math.floor(Date.now() / 1000) }, ruleSet);
      const before = new Date();
      const theirs = await caller.ask(asked);
      const after = new Date();
      // A token may have expired while it was on its way.
      const both = [await askLibrary(compiled, asked, before), await askLibrary(compiled, asked, after)] as const;
      figures.requests++;
      const same = both.find(({ outcome }) => isDeepStrictEqual(outcome, theirs));
      if (same !== undefined) count(figures.outcomes, nameOf(theirs));
      else note(figures, { asked, ours: both[0].outcome, result: both[0].result, theirs });
    }
  } finally {
    caller.close();
  }
}

function note(figures: JwtFigures, difference: JwtDifference): void {
  const known = explanations.find(({ applies }) => applies(difference));
  if (known === undefined) figures.unexplained.push(describe(difference));
  else count(figures.explained, known.name);
}

function nameOf(outcome: JwtOutcome): string {
  if (outcome.kind === "answered") return `${outcome.status} ${outcome.body}`;
  return outcome.payload === undefined ? "anonymous" : "authenticated";
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function describe({ asked, ours, theirs }: JwtDifference): string {
  const { method, path, headers, http2, labels, ruleSet } = asked;
  const lines = [
    `${http2 ? "HTTP/2" : "HTTP/1.1"} ${method} ${path} ${JSON.stringify(headers)}`,
    `  labels ${labels.join(" ")}`,
    `  Envoy  ${describeOutcome(theirs)}`,
    `  ours   ${describeOutcome(ours)}`,
    ...asked.tokens.map(({ text, key }) => `  token  by ${key.name}: ${decodeParts(text)}`),
    `  rules  ${ruleSet.text}`,
  ];
  return lines.join("\n");
}

function describeOutcome(outcome: JwtOutcome): string {
  return JSON.stringify(outcome.kind === "answered" ? outcome : { ...outcome, headers: [...outcome.headers] });
}

function decodeParts(token: string): string {
  return token
    .split(".")
    .slice(0, 2)
    .map((part) => Buffer.from(part, "base64url").toString("utf8"))
    .join(" ");
}
