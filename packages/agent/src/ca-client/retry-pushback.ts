import { StatusError } from "@signet/grpc";

const header = "grpc-retry-pushback-ms";

/**
 * Milliseconds that the CA asks to be left alone after a failed call, or undefined when it asks for nothing.
 *
 * A value that is no number of milliseconds means "do not try again" (gRPC proposal A6), and is Infinity here.
 */
export function retryPushbackMs(error: unknown): number | undefined {
  if (!(error instanceof StatusError)) return undefined;
  const [value] = error.metadata.get(header);
  if (value === undefined) return undefined;
  return /^\d{1,10}$/.test(value) ? Number(value) : Number.POSITIVE_INFINITY;
}
