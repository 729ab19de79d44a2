import type { RuleName } from "@signet/policy";
import type { HeaderChanges } from "@signet/request-auth";
import type { AttributedRequest } from "./attribute-context.ts";

/** What is answered to a client that is refused. */
export type RefusalAnswer = {
  readonly status: number;
  readonly body: string;
  /** Names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
};

/** What a CUSTOM provider says of a request. */
export type CustomAnswer =
  | {
      readonly kind: "allowed";
      /** Headers that it takes off and adds on the way upstream. */
      readonly upstream?: HeaderChanges;
      /** Headers that it adds to the answer of the upstream. */
      readonly downstream?: readonly (readonly [name: string, value: string])[];
    }
  | { readonly kind: "denied"; readonly answer: RefusalAnswer }
  /** It gave no answer, in time or at all, or there is none of that name. `failOpen` is its own setting. */
  | { readonly kind: "unavailable"; readonly failOpen: boolean; readonly status?: number; readonly detail: string };

/** Who is asked about requests that CUSTOM policies match: the providers of the mesh config. */
export interface CustomProvider {
  /**
   * Puts a request to the provider of that name, which is nobody where the mesh config has no such one. Resolves within the
   * provider's own timeout; rejects only with the reason of `signal`.
   */
  ask(question: CustomQuestion, signal: AbortSignal): Promise<CustomAnswer>;
}

/** What a provider is asked. */
export type CustomQuestion = {
  readonly provider: string;
  /** The rule that wants it to be asked. */
  readonly rule: RuleName;
  /** As it is by then: with what earlier providers, and the token where that comes first, have changed. */
  readonly request: AttributedRequest;
};
