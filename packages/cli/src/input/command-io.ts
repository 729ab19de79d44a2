/** Where a command reads from and writes to; `process` is one. */
export type CommandIo = {
  readonly stdin: AsyncIterable<Buffer | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
};

/** Where a command writes: what was asked for, and everything else. */
export type CommandOutput = Pick<CommandIo, "stdout" | "stderr">;
