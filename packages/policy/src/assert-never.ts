/** Throws; what the compiler knows cannot be reached ends here, should it be reached all the same. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected ${JSON.stringify(value)}`);
}
