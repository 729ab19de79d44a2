const timeoutForm = /^(\d{1,8})\s*([HMSmun])$/;

/** Milliseconds in each unit of `grpc-timeout`. */
const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };

/** The milliseconds that a `grpc-timeout` header says, as the gRPC specification writes them; NaN if it says none. */
export function parseTimeoutMs(header: string): number {
  const [, amount, unit] = timeoutForm.exec(header) ?? [];
  return Number(amount) * (unitsMs[unit ?? ""] ?? Number.NaN);
}
