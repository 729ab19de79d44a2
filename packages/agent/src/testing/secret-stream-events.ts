import { create } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import {
  advanceSecretStream,
  openSecretStream,
  type SecretRequest,
  type SecretSnapshot,
  type SecretStreamEvent,
  type SecretStreamStep,
  secretTypeUrl,
} from "../sds/secret-stream.ts";

function material(text: string): Any {
  return create(AnySchema, { typeUrl: secretTypeUrl, value: new TextEncoder().encode(text) });
}

function textOf(resource: Any): string {
  return new TextDecoder().decode(resource.value);
}

/** A snapshot whose secrets are their own revisions, such as `{ default: "svid 1" }`. */
export function snapshot(
  version: string,
  secrets: { readonly default?: string; readonly ROOTCA?: string },
): SecretSnapshot {
  const entries = (["default", "ROOTCA"] as const).flatMap((name) => {
    const text = secrets[name];
    return text === undefined ? [] : [[name, { revision: text, resource: material(text) }] as const];
  });
  return { version, secrets: new Map(entries) };
}

export function request(fields: Partial<SecretRequest>): SecretStreamEvent {
  return {
    kind: "request",
    request: { nodeId: "", typeUrl: secretTypeUrl, resourceNames: [], responseNonce: "", versionInfo: "", ...fields },
  };
}

export function secrets(version: string, content: Parameters<typeof snapshot>[1]): SecretStreamEvent {
  return { kind: "secrets", snapshot: snapshot(version, content) };
}

/** Runs a stream over events; the answers in short: the texts sent, "-" for no response, "refused: ...". */
export function run(events: readonly SecretStreamEvent[]): {
  readonly answers: string[];
  readonly steps: SecretStreamStep[];
} {
  const steps: SecretStreamStep[] = [];
  let state = openSecretStream("s");
  for (const event of events) {
    const step = advanceSecretStream(state, event);
    state = step.state;
    steps.push(step);
  }
  const answers = steps.map(({ response, refusal }) => {
    if (refusal !== undefined) return `refused: ${refusal}`;
    return response === undefined ? "-" : response.resources.map(textOf).join(" + ");
  });
  return { answers, steps };
}

export const first = (names: readonly string[], fields: Partial<SecretRequest> = {}): SecretStreamEvent =>
  request({ nodeId: "node", resourceNames: names, ...fields });
export const have: SecretStreamEvent = secrets("v1", { default: "svid 1", ROOTCA: "roots 1" });
