import { type DecisionRecord, recordOf } from "./decision-record.ts";
import { explainResult } from "./explain.ts";
import { sentenceOf } from "./explain-report.ts";
import { normalizeRequest } from "./normalize-request.ts";
import type { OpenAuthorizer } from "./open-authorizer.ts";
import type { TestCase } from "./test-case.ts";

/** What came of a case. */
export type TestOutcome = {
  readonly test: TestCase;
  readonly actual: DecisionRecord;
  /** What is other than expected; empty for a case that passed. */
  readonly differences: readonly Difference[];
  /** The decision in a sentence, for a case that failed. */
  readonly sentence?: string;
};

/** One field of a decision, in JSON. */
export type Difference = { readonly field: string; readonly expected: string; readonly actual: string };

/** Decides the request of a case, and compares. Rejects with the reason of `signal`. */
export async function runTestCase(test: TestCase, open: OpenAuthorizer, signal: AbortSignal): Promise<TestOutcome> {
  const { workload, believing, expected } = test;
  const request = test.isNormalized ? test.request : normalizeRequest(test.request, open.meshConfig);
  const result = await open.authorizerFor(believing).authorize(request, workload, signal);
  const actual = recordOf(result);
  const found = new Map<string, unknown>(Object.entries(actual));
  const differences = Object.entries(expected).flatMap(([field, value]) => {
    const [wanted, got] = [value, found.get(field)].map((one) => JSON.stringify(one ?? null));
    return wanted === undefined || got === undefined || wanted === got
      ? []
      : [{ field, expected: wanted, actual: got }];
  });
  if (differences.length === 0) return { test, actual, differences };
  const explanation = explainResult(result, open, workload);
  const explained = { result, ...(explanation !== undefined && { explanation }) };
  return { test, actual, differences, sentence: sentenceOf(explained) };
}
