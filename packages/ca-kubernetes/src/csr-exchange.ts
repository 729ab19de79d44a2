import { CaError } from "@signet/ca";
import {
  type CertificateSigningRequest,
  type CertificateSigningRequestCondition,
  type KubernetesApi,
  KubernetesError,
  resources,
} from "@signet/kubernetes";
import { type Clock, createBackoff, type Random, RuntimeError, withDeadline } from "@signet/runtime";
import type { RequestRemoval } from "./request-removal.ts";

const { certificateSigningRequests } = resources;

/** What the exchange with a signer needs. */
export type CsrExchange = {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly removal: RequestRemoval;
};

/**
 * Has a signer sign a request: creates the object, approves it, and resolves with the certificate (PEM in base64).
 *
 * The object is deleted in every case, also when its creation was not answered or the signal aborts.
 * @throws CaError `signer-refused` when it is denied or has failed, `signer-unavailable` when it is gone; KubernetesError
 */
export async function exchangeRequest(
  request: CertificateSigningRequest,
  exchange: CsrExchange,
  signal: AbortSignal,
): Promise<string> {
  const { api, removal } = exchange;
  const { name } = request.metadata;
  // Not cut off by the signal: an object that came into being after its deletion would stay.
  const creating = api.create(certificateSigningRequests, request, new AbortController().signal);
  const created = await creating.catch((error: unknown) => {
    if (!isRefusal(error)) removal.remove(name, { mayComeLater: true });
    throw error;
  });
  try {
    const approved = await approveRequest({ asked: request, created }, exchange, signal);
    return await awaitCertificate(approved, exchange, signal);
  } finally {
    removal.remove(name);
  }
}

/** Whether the API server said that it made nothing; an object of that name is then somebody else's. */
function isRefusal(error: unknown): boolean {
  return error instanceof KubernetesError && error.status !== undefined && error.status >= 400 && error.status < 500;
}

const maxApprovals = 5;

/**
 * Approves a request, as the registration authority that has authenticated the caller, and returns it as it then is.
 *
 * Only what was asked for is approved, in the very object that was created: whoever may create and delete requests could
 * otherwise put one of their own under its name and have us approve that.
 * @throws CaError `signer-refused` when it was denied meanwhile or is not what was asked for, `signer-unavailable` when it
 *   is gone; KubernetesError
 */
async function approveRequest(
  { asked, created }: { readonly asked: CertificateSigningRequest; readonly created: CertificateSigningRequest },
  { api }: Pick<CsrExchange, "api">,
  signal: AbortSignal,
): Promise<CertificateSigningRequest> {
  let request = created;
  for (let attempt = 1; ; attempt++) {
    if (request.metadata.uid !== created.metadata.uid) throw deletedByOthers();
    checkAsked(asked, request);
    const conditions = request.status?.conditions ?? [];
    checkNotRefused(conditions);
    if (conditions.some(({ type }) => type === "Approved")) return request;
    const approved = { ...request, status: { ...request.status, conditions: [...conditions, approval] } };
    const target = { resource: certificateSigningRequests, subresource: "approval" } as const;
    try {
      return await api.replaceSubresource(target, approved, signal);
    } catch (error) {
      // Somebody else wrote to it first, say a controller that puts a label on it.
      if (!(error instanceof KubernetesError && error.code === "conflict") || attempt === maxApprovals) throw error;
      request = await readRequest(api, request.metadata.name, signal);
    }
  }
}

/** What Kubernetes never changes of a request, and what an admission webhook might. */
function checkAsked({ spec: asked }: CertificateSigningRequest, { spec: found }: CertificateSigningRequest): void {
  const usages = new Set(found.usages);
  const sameUsages = usages.size === asked.usages?.length && asked.usages.every((usage) => usages.has(usage));
  if (found.request === asked.request && found.signerName === asked.signerName && sameUsages) return;
  throw new CaError("signer-refused", "request is another in the cluster than was asked for, and was not approved");
}

const approval: CertificateSigningRequestCondition = {
  type: "Approved",
  status: "True",
  reason: "CallerAuthenticated",
  message: "the CA server has authenticated the caller, and the request names nobody else",
};

/** Longest time without looking at the object itself, should a watch have fallen silent. */
const watchRoundMs = 5_000;

/**
 * Resolves with the certificate (PEM in base64) once the signer has put it into the request.
 *
 * Watches the object; whenever the watch ends, breaks, reports an error or has been silent for a few seconds, the object
 * is read, so that nothing is missed, and the watch goes on from there. Without the right to watch it is only read.
 * @throws CaError `signer-refused` as soon as the request is denied or has failed, `signer-unavailable` when it is gone;
 *   KubernetesError when it may not be read
 */
async function awaitCertificate(
  approved: CertificateSigningRequest,
  exchange: CsrExchange,
  signal: AbortSignal,
): Promise<string> {
  const { api, clock, random } = exchange;
  const backoff = createBackoff({ initialMs: 100, maxMs: 2_000, minMs: 20 }, random);
  let request = approved;
  for (;;) {
    const certificate = certificateOf(request);
    if (certificate !== undefined) return certificate;
    const round = await watchRound(request, exchange, signal);
    if (typeof round === "object") {
      request = round;
      continue;
    }
    if (round === "silent") backoff.reset();
    else await clock.sleep(backoff.nextMs(), signal);
    try {
      request = await readRequest(api, request.metadata.name, signal);
    } catch (error) {
      if (!(error instanceof KubernetesError) || lasts(error)) throw error;
    }
  }
}

/** The next version of the object that says something, or how the watch ended without one. */
async function watchRound(
  request: CertificateSigningRequest,
  { api, clock }: CsrExchange,
  signal: AbortSignal,
): Promise<CertificateSigningRequest | "silent" | "ended"> {
  const { name, resourceVersion = "" } = request.metadata;
  const query = { fieldSelector: `metadata.name=${name}`, resourceVersion };
  try {
    return await withDeadline(
      { clock, ms: watchRoundMs, what: "a round of watching" },
      async (watching) => {
        for await (const event of api.watch(certificateSigningRequests, query, watching)) {
          if (event.kind === "deleted") throw deletedByOthers();
          if (event.kind !== "bookmark" && certificateOf(event.object) !== undefined) return event.object;
        }
        return "ended";
      },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RuntimeError && error.code === "deadline-exceeded") return "silent";
    // A watch that cannot be had is no reason to give up: the object can still be read.
    if (error instanceof KubernetesError) return "ended";
    throw error;
  }
}

/** The certificate, if the signer has made it; throws when there will be none. */
function certificateOf({ status }: CertificateSigningRequest): string | undefined {
  checkNotRefused(status?.conditions ?? []);
  return status?.certificate === undefined || status.certificate === "" ? undefined : status.certificate;
}

function checkNotRefused(conditions: readonly CertificateSigningRequestCondition[]): void {
  const refusal = conditions.find(({ type, status }) => (type === "Denied" || type === "Failed") && status !== "False");
  if (refusal === undefined) return;
  const { type, reason = "", message = "" } = refusal;
  throw new CaError("signer-refused", `request is ${type}: ${quoteShort(reason)} ${quoteShort(message)}`);
}

/** What a signer wrote, as it may stand in a log. */
function quoteShort(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

async function readRequest(api: KubernetesApi, name: string, signal: AbortSignal): Promise<CertificateSigningRequest> {
  const request = await api.read(certificateSigningRequests, { name }, signal);
  if (request === undefined) throw deletedByOthers();
  return request;
}

function deletedByOthers(): CaError {
  return new CaError("signer-unavailable", "request was deleted by somebody else before it was signed");
}

/** Whether asking again within a minute is of no use. */
function lasts({ code }: KubernetesError): boolean {
  return code === "forbidden" || code === "invalid" || code === "config-invalid";
}
