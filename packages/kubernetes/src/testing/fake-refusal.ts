/** An answer other than success, in the words of the real API server. */
export class FakeRefusal extends Error {
  override readonly name = "FakeRefusal";
  readonly status: number;
  readonly reason: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    message: string,
    options: {
      readonly reason?: string;
      readonly details?: Readonly<Record<string, unknown>>;
      readonly retryAfterSeconds?: number;
    } = {},
  ) {
    super(message);
    this.status = status;
    this.reason = options.reason ?? "";
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** The body of the answer. */
  body(): Readonly<Record<string, unknown>> {
    const { status, message, reason, details } = this;
    const common = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message };
    return { ...common, ...(reason === "" ? {} : { reason }), details, code: status };
  }
}

/** 404 for one object. */
export function notFound(plural: string, name: string): FakeRefusal {
  return new FakeRefusal(404, `${plural} "${name}" not found`, { reason: "NotFound", details: { name, kind: plural } });
}

/** 404 for a path that leads nowhere. */
export function noSuchPath(): FakeRefusal {
  return new FakeRefusal(404, "the server could not find the requested resource", { reason: "NotFound" });
}

/** 409 for an object that has changed since. */
export function conflict(plural: string, name: string): FakeRefusal {
  const message = `Operation cannot be fulfilled on ${plural} "${name}": the object has been modified; please apply your changes to the latest version and try again`;
  return new FakeRefusal(409, message, { reason: "Conflict", details: { name, kind: plural } });
}

/** 422 for a field. */
export function invalidField(kind: string, name: string, problem: string): FakeRefusal {
  return new FakeRefusal(422, `${kind} "${name}" is invalid: ${problem}`, {
    reason: "Invalid",
    details: { name, kind },
  });
}

/** 400. */
export function badRequest(message: string): FakeRefusal {
  return new FakeRefusal(400, message, { reason: "BadRequest" });
}

/** 410 for a point of time that is forgotten. */
export function expired(message: string): FakeRefusal {
  return new FakeRefusal(410, message, { reason: "Expired" });
}
