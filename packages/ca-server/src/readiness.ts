import { CaError, type Canary, createCanaryProbe, type SigningCa } from "@signet/ca";
import {
  type Clock,
  checkHealth,
  errorMessage,
  type HealthCheck,
  type HealthProblem,
  type HttpRoute,
  type ServingState,
} from "@signet/runtime";

/** Whether the server can do its work now. */
export interface Readiness {
  /** Why it cannot; empty when it can. At most a few seconds old. Never rejects. */
  problems(): Promise<readonly HealthProblem[]>;
  /** What is not as it should be and keeps it from nothing yet. */
  warnings(): readonly HealthProblem[];
}

/** How long an answer stands: many probes, one signature. */
const freshMs = 3_000;
/** A signing CA that needs longer than this serves nobody in time. */
const deadlineMs = 4_000;

/** How it is found out whether the CA signs: by a canary signature, or by what the CA says of itself. */
export type ReadinessProbe = "canary" | "health";

/**
 * Returns the readiness of a CA server: serving, its signing CA has just signed a canary certificate, and the
 * certificate it shows to clients is valid.
 *
 * All who ask at once share one canary, and its outcome stands for three seconds, a good one of a CA elsewhere for ten.
 * A CA that has canaries signed itself, or for which each would be a burden, is asked for its health instead.
 */
export function createReadiness(
  options: {
    readonly state: ServingState;
    readonly signingCa: SigningCa;
    readonly probe: ReadinessProbe;
    readonly canary: Canary;
    readonly servingNotAfter: () => Date | undefined;
    readonly clock: Clock;
  },
  signal: AbortSignal,
): Readiness {
  const { state, clock } = options;
  const checks = createChecks(options);
  let latest: { readonly atMs: number; readonly problems: Promise<readonly HealthProblem[]> } | undefined;

  function probe(): Promise<readonly HealthProblem[]> {
    const atMs = clock.now().getTime();
    const ageMs = latest === undefined ? Number.POSITIVE_INFINITY : atMs - latest.atMs;
    // A negative age is a wall clock set back: nothing is known about such an answer's age.
    if (latest !== undefined && ageMs >= 0 && ageMs < freshMs) return latest.problems;
    const problems = checkHealth(checks, { clock, deadlineMs }, signal).catch((error: unknown) => [
      { check: "canary", reason: errorMessage(error) },
    ]);
    latest = { atMs, problems };
    return problems;
  }

  return {
    async problems(): Promise<readonly HealthProblem[]> {
      const phase = state.current();
      return phase === "serving" ? await probe() : [{ check: "phase", reason: phase }];
    },
    warnings(): readonly HealthProblem[] {
      const health = options.signingCa.health?.current();
      if (health === undefined || health.state === "good") return [];
      return [{ check: "signing-ca", reason: health.reason ?? health.state }];
    },
  };
}

function createChecks(options: Parameters<typeof createReadiness>[0]): readonly HealthCheck[] {
  const { signingCa, servingNotAfter, clock } = options;
  return [
    options.probe === "canary" ? createCanaryCheck(options) : createHealthCheck(signingCa),
    {
      name: "serving-certificate",
      async check(): Promise<string | undefined> {
        const notAfter = servingNotAfter();
        if (notAfter === undefined) return "there is no serving certificate yet";
        return clock.now() < notAfter ? undefined : "serving certificate has expired";
      },
    },
  ];
}

function createCanaryCheck({ signingCa, canary, clock }: Parameters<typeof createReadiness>[0]): HealthCheck {
  const probe = createCanaryProbe({ signingCa, canary }, clock);
  return {
    name: "canary",
    async check(signal): Promise<string | undefined> {
      try {
        await probe.check(signal);
        return undefined;
      } catch (error) {
        // The endpoint is open to everyone, so a code is all it tells; the log has the rest when a call fails.
        if (error instanceof CaError) return error.code;
        throw error;
      }
    },
  };
}

function createHealthCheck(signingCa: SigningCa): HealthCheck {
  return {
    name: "signing-ca",
    async check(): Promise<string | undefined> {
      const health = signingCa.health?.current();
      return health?.state === "failing" ? (health.reason ?? "failing") : undefined;
    },
  };
}

/** `/ready`: 200 when the server can do its work now, else 503 and why, as JSON; and what else an operator should see. */
export function createReadyRoute(readiness: Readiness): HttpRoute {
  return async () => {
    const problems = await readiness.problems();
    const warnings = readiness.warnings();
    const answer = { ready: problems.length === 0, problems, ...(warnings.length > 0 && { warnings }) };
    return {
      status: problems.length === 0 ? 200 : 503,
      body: `${JSON.stringify(answer)}\n`,
      contentType: "application/json",
    };
  };
}
