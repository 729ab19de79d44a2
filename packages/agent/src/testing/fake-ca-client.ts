import type { Clock } from "@signet/runtime";
import { type Csr, parseCsr, parseTrustBundle, type TrustBundle } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import type { CaClient, IssuedCertificate } from "../ca-client/ca-client.ts";

/** One call of the fake, and the means to answer it as a good CA would, but for what is overridden. */
export interface FakeRequest {
  readonly csr: Csr;
  readonly ttlSeconds: number;
  readonly at: Date;
  readonly signal: AbortSignal;
  issue(
    overrides?: Partial<{
      readonly notBefore: Date;
      readonly notAfter: Date;
      readonly spiffeId: string;
      readonly key: Csr;
      readonly ca: TestCa;
      readonly trustBundle: TrustBundle;
      readonly subjectAltNames: readonly { readonly kind: "uri" | "dns"; readonly value: string }[];
    }>,
  ): Promise<IssuedCertificate>;
}

export type FakeAnswer = (request: FakeRequest) => Promise<IssuedCertificate>;

/** A CA in the same process that answers as it is told to. */
export interface FakeCaClient extends CaClient {
  readonly requests: readonly FakeRequest[];
  /** Answers this way from now on; without an argument as a good CA again. */
  answerWith(answer?: FakeAnswer): void;
  /** Signs with a new root from now on; the bundle then holds the old one too. */
  rotateRoot(): Promise<void>;
}

const backdatedMs = 120_000;

/**
 * A CaClient that issues as istiod does: for the key of the CSR, valid since two minutes ago, as long as asked for.
 * @example
 * ```ts
 * import { fakeCaClient } from "@signet/agent/testing";
 * import { systemClock } from "@signet/runtime";
 * const ca = await fakeCaClient({ clock: systemClock });
 * ca.answerWith(async () => {
 *   throw new Error("the CA is away");
 * });
 * ```
 */
export async function fakeCaClient(options: {
  readonly clock: Clock;
  readonly spiffeId?: string;
}): Promise<FakeCaClient> {
  const { clock } = options;
  const goodSpiffeId = options.spiffeId ?? "spiffe://cluster.local/ns/demo/sa/frontend";
  const requests: FakeRequest[] = [];
  let ca = await testRoot();
  let bundle = ca.trustBundle;
  let answer: FakeAnswer = (request) => request.issue();

  async function issue(csr: Csr, ttlSeconds: number, overrides: Parameters<FakeRequest["issue"]>[0] = {}) {
    const now = clock.now().getTime();
    const notBefore = overrides.notBefore ?? new Date(now - backdatedMs);
    const notAfter = overrides.notAfter ?? new Date(now + ttlSeconds * 1000);
    const issuer = overrides.ca ?? ca;
    const { spki } = overrides.key ?? csr;
    const { chain } = await testLeaf(issuer, {
      spiffeId: overrides.spiffeId ?? goodSpiffeId,
      // Only the public half is read for a leaf; the fake, like a CA, has no other.
      key: { ...issuer.key, spki },
      notBefore,
      notAfter,
      ...(overrides.subjectAltNames === undefined ? {} : { subjectAltNames: overrides.subjectAltNames }),
    });
    return { chain, trustBundle: overrides.trustBundle ?? bundle };
  }

  return {
    requests,
    async createCertificate(csrPem, ttlSeconds, signal) {
      const csr = parseCsr(csrPem);
      const request: FakeRequest = {
        csr,
        ttlSeconds,
        at: clock.now(),
        signal,
        issue: (overrides) => issue(csr, ttlSeconds, overrides),
      };
      requests.push(request);
      return await answer(request);
    },
    answerWith(next = (request) => request.issue()) {
      answer = next;
    },
    async rotateRoot() {
      const next = await testRoot();
      bundle = parseTrustBundle(ca.pem + next.pem);
      ca = next;
    },
  };
}
