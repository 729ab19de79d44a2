import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { createInbox } from "../inbox.ts";
import {
  bindService,
  type CallErrorEvent,
  type CallEvent,
  type ServeOptions,
  type Status,
  type UnaryHandler,
} from "../index.ts";
import { type TestPair, testPair } from "../testing.ts";

/** A handler of CreateCertificate, used for nothing but its being a unary call. */
export type UnaryAnswer = UnaryHandler<{ readonly csr: string }, { certChain: string[] }>;

/** A server whose CreateCertificate is a test's handler. */
export interface UnaryPair extends TestPair {
  /** What was reported of the next call to end. */
  ended(): Promise<CallEvent | undefined>;
  /** The status of the next call to end. */
  code(): Promise<Status | undefined>;
  readonly errors: readonly CallErrorEvent[];
}

/** Serves `answer` on a temporary socket. */
export async function unaryPair(answer: UnaryAnswer, options: Partial<ServeOptions> = {}): Promise<UnaryPair> {
  const calls = createInbox<CallEvent>(() => {});
  const errors: CallErrorEvent[] = [];
  const pair = await testPair([bindService(IstioCertificateService, { createCertificate: answer })], {
    serve: { onCall: (event) => calls.push(event), onError: (event) => errors.push(event), ...options },
  });
  const ended = async (): Promise<CallEvent | undefined> => (await calls.next()).value;
  return { ...pair, errors, ended, code: async () => (await ended())?.code };
}
