/** What a test opened and has to close. */
export interface Closers {
  add(close: () => unknown): void;
  /** Closes everything, what was opened last first. */
  closeAll(): Promise<void>;
}

/** No Closers yet. */
export function createClosers(): Closers {
  const closers: (() => unknown)[] = [];
  return {
    add: (close) => void closers.push(close),
    async closeAll() {
      for (const close of closers.splice(0).reverse()) await close();
    },
  };
}
